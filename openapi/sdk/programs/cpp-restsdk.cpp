#include <cstdlib>
#include <iomanip>
#include <iostream>

#include "CppRestOpenAPIClient/api/LossdApi.h"

using namespace org::openapitools::client::api;
using namespace org::openapitools::client::model;

std::shared_ptr<Tensor> tensor(const std::vector<int64_t> &shape, const std::vector<double> &data) {
    auto made = std::make_shared<Tensor>();
    made->setShape(shape);
    made->setData(data);
    return made;
}

void print(LossdApi &api, const std::string &name, double target) {
    auto style = std::make_shared<NonFiniteStyle>();
    style->setValue(NonFiniteStyle::eNonFiniteStyle::r_NULL);
    auto request = std::make_shared<CrossEntropyRequest>();
    request->setInput(tensor({1, 3}, {2, 1, 0}));
    request->setTarget(tensor({1}, {target}));
    request->setNonFinite(style);
    auto result = api.crossEntropy(request).get();
    std::cout << name << " ";
    // A null loss is not set, and getLoss() then returns an arbitrary number.
    if (result->lossIsSet())
        std::cout << std::setprecision(9) << result->getLoss() << std::endl;
    else
        std::cout << "null" << std::endl;
}

int main() {
    auto configuration = std::make_shared<ApiConfiguration>();
    configuration->setBaseUrl(std::getenv("LOSSD_URL"));
    LossdApi api(std::make_shared<ApiClient>(configuration));
    print(api, "loss", 0);
    print(api, "nan", -100);
}
