package main

import (
	"context"
	"fmt"
	"os"

	"client/lossd"
)

type source struct{}

func (source) Bearer(context.Context, lossd.OperationName) (lossd.Bearer, error) {
	return lossd.Bearer{Token: "a-token"}, nil
}

func loss(target lossd.Real) any {
	client, err := lossd.NewClient(os.Getenv("LOSSD_URL"), source{})
	if err != nil {
		panic(err)
	}
	answer, err := client.CrossEntropy(context.Background(), &lossd.CrossEntropyRequest{
		Input:     lossd.Tensor{Shape: []int64{1, 3}, Data: []lossd.Real{2, 1, 0}},
		Target:    lossd.Tensor{Shape: []int64{1}, Data: []lossd.Real{target}},
		NonFinite: "null",
	})
	if err != nil {
		panic(err)
	}
	result, ok := answer.(*lossd.CrossEntropyResult)
	if !ok {
		panic(fmt.Sprint(answer))
	}
	if result.Loss.IsNull() {
		return "null"
	}
	return result.Loss.Value
}

func main() {
	fmt.Println("loss", loss(0))
	fmt.Println("nan", loss(-100))
}
