from mmengine.model import BaseModel, BaseTTAModel, is_model_wrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from inrn_mm.utils.unwrap import unwrap


class Network(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


class Flips(BaseTTAModel):
    def merge_preds(self, data_samples_list):
        return data_samples_list


class Wrapper(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module


def test_a_network_is_found_in_its_wrappers():
    net = Network()
    MODEL_WRAPPERS.register_module(name='TestWrapper', module=Wrapper)
    try:
        wrapped = Wrapper(Flips(net))
        assert is_model_wrapper(wrapped)
        assert unwrap(wrapped) is net
    finally:
        MODEL_WRAPPERS.module_dict.pop('TestWrapper')
    assert unwrap(net) is net
