import os

from lossd import ApiClient, Configuration, CrossEntropyRequest, LossdApi, NonFiniteStyle, Tensor

api = LossdApi(ApiClient(Configuration(host=os.environ["LOSSD_URL"])))


def loss(target):
    request = CrossEntropyRequest(
        input=Tensor(shape=[1, 3], data=[2.0, 1.0, 0.0]),
        target=Tensor(shape=[1], data=[target]),
        non_finite=NonFiniteStyle.NULL,
    )
    return api.cross_entropy(request).loss


print("loss", loss(0))
print("nan", loss(-100))
