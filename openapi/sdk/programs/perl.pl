use strict;
use warnings;
use lib 'lossd/lib';
use WWW::OpenAPIClient::LossdApi;
use WWW::OpenAPIClient::Object::CrossEntropyRequest;
use WWW::OpenAPIClient::Object::Tensor;

my $client = WWW::OpenAPIClient::ApiClient->new(base_url => $ENV{LOSSD_URL});
my $api = WWW::OpenAPIClient::LossdApi->new($client);

sub loss {
    my ($target) = @_;
    my $request = WWW::OpenAPIClient::Object::CrossEntropyRequest->new(
        input => WWW::OpenAPIClient::Object::Tensor->new(shape => [1, 3], data => [2, 1, 0]),
        target => WWW::OpenAPIClient::Object::Tensor->new(shape => [1], data => [$target]),
        non_finite => 'null',
    );
    return $api->cross_entropy(cross_entropy_request => $request)->loss;
}

print 'loss ', loss(0), "\n";
print 'nan ', loss(-100) // 'null', "\n";
