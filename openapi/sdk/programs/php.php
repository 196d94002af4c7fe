<?php

use OpenAPI\Client\Api\LossdApi;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\CrossEntropyRequest;
use OpenAPI\Client\Model\NonFiniteStyle;
use OpenAPI\Client\Model\Tensor;

require 'GuzzleHttp/autoload.php';
spl_autoload_register(function (string $class): void {
    $path = __DIR__ . '/lossd/lib/' . str_replace(['OpenAPI\\Client\\', '\\'], ['', '/'], $class) . '.php';
    if (is_file($path)) {
        require $path;
    }
});

$api = new LossdApi(config: (new Configuration())->setHost(getenv('LOSSD_URL')));

function loss(LossdApi $api, float $target): ?float
{
    $request = new CrossEntropyRequest([
        'input' => new Tensor(['shape' => [1, 3], 'data' => [2.0, 1.0, 0.0]]),
        'target' => new Tensor(['shape' => [1], 'data' => [$target]]),
        'non_finite' => NonFiniteStyle::NULL,
    ]);
    return $api->crossEntropy($request)->getLoss();
}

echo 'loss ', loss($api, 0.0), "\n";
echo 'nan ', json_encode(loss($api, -100.0)), "\n";
