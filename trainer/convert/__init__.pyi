from trainer.convert.lite_runtime import open_tflite as open_tflite
from trainer.convert.onnx import convert_to_onnx as convert_to_onnx
from trainer.convert.onnx import open_onnx as open_onnx
from trainer.convert.tflite import convert_to_tflite as convert_to_tflite
