from sklearn.datasets import load_digits as load_digits

from trainer.data.record_pipeline import tfrecord_dataset as tfrecord_dataset
