from sklearn.datasets import load_digits as load_digits

from trainer.data.csv_pipeline import csv_dataset as csv_dataset
from trainer.data.image_pipeline import image_dataset as image_dataset
from trainer.data.record_pipeline import tfrecord_dataset as tfrecord_dataset
