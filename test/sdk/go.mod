module tour

go 1.23

require example.com/lossd/sdk v0.0.0

replace example.com/lossd/sdk => ../../sdk/go
