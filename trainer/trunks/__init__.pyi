from trainer.trunks.contained import check_of_trunks as check_of_trunks
from trainer.trunks.trunk import Trunk as Trunk
