import os

from lossd.api.lossd import cross_entropy
from lossd.client import Client
from lossd.models import CrossEntropyRequest, CrossEntropyResult, Tensor
from lossd.models.non_finite_style import NonFiniteStyle

client = Client(base_url=os.environ["LOSSD_URL"])


def loss(target):
    body = CrossEntropyRequest(
        input_=Tensor(shape=[1, 3], data=[2.0, 1.0, 0.0]),
        target=Tensor(shape=[1], data=[float(target)]),
        non_finite=NonFiniteStyle("null"),
    )
    answer = cross_entropy.sync(client=client, body=body)
    assert isinstance(answer, CrossEntropyResult), answer
    return answer.loss


print("loss", loss(0))
print("nan", loss(-100))
