from trainer.inspection.layout import arrange as arrange
from trainer.inspection.picture import draw as draw
from trainer.inspection.static import read_model as read_model
from trainer.inspection.summary import summarize as summarize
