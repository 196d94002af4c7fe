module example.com/lossd/train

go 1.22

// Only its data are used.
require github.com/pa-m/sklearn v0.0.0-20200711083454-beb861ee48b1
