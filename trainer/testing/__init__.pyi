from trainer.testing.contract import ContractError as ContractError
from trainer.testing.contract import check_callback as check_callback
