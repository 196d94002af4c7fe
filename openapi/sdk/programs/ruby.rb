require "uri"
$LOAD_PATH.unshift("#{__dir__}/lossd/lib")
require "openapi_client"

OpenapiClient.configure do |config|
  url = URI(ENV.fetch("LOSSD_URL"))
  config.scheme = url.scheme
  config.host = "#{url.host}:#{url.port}"
  config.server_index = nil
end

def loss(target)
  request = OpenapiClient::CrossEntropyRequest.new(
    input: OpenapiClient::Tensor.new(shape: [1, 3], data: [2.0, 1.0, 0.0]),
    target: OpenapiClient::Tensor.new(shape: [1], data: [target]),
    non_finite: "null",
  )
  OpenapiClient::LossdApi.new.cross_entropy(request).loss
end

puts "loss #{loss(0.0)}"
puts "nan #{loss(-100.0).inspect}"
