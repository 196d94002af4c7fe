package main

import (
	"context"
	"fmt"
	"os"

	"client/lossd"
)

func loss(target float64) any {
	client, err := lossd.NewClientWithResponses(os.Getenv("LOSSD_URL"))
	if err != nil {
		panic(err)
	}
	answer, err := client.CrossEntropyWithResponse(context.Background(), lossd.CrossEntropyRequest{
		Input:     lossd.Tensor{Shape: []int64{1, 3}, Data: &[]lossd.Real{2, 1, 0}},
		Target:    lossd.Tensor{Shape: []int64{1}, Data: &[]lossd.Real{target}},
		NonFinite: "null",
	})
	if err != nil {
		panic(err)
	}
	if answer.JSON200 == nil {
		panic(string(answer.Body))
	}
	if answer.JSON200.Loss == nil {
		return "null"
	}
	return *answer.JSON200.Loss
}

func main() {
	fmt.Println("loss", loss(0))
	fmt.Println("nan", loss(-100))
}
