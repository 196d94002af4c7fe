// A tour of the Go SDK. Usage: go run . URL TOKEN
package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"slices"

	"example.com/lossd/sdk"
)

var passed int

func expect(what string, ok bool) {
	if !ok {
		log.Fatalf("%s: not as expected", what)
	}
	passed++
}

func near[F ~float64](a F, b float64) bool {
	return math.Abs(float64(a)-b) < 1e-6
}

func main() {
	// Connect
	config := lossd.NewConfiguration()
	config.Servers[0].URL = os.Args[1]
	config.AddDefaultHeader("Authorization", "Bearer "+os.Args[2])
	api := lossd.NewAPIClient(config).LossdAPI
	ctx := context.Background()

	// Cross entropy with its gradient
	input := lossd.Tensor{
		Shape: []int64{3, 5},
		Data: []lossd.Real{
			2, 1, 0, -1, 0.5,
			0.25, 0.5, -0.5, 1, -1,
			1, 0.75, -0.25, 0, 2,
		},
	}
	target := lossd.Tensor{Shape: []int64{3}, Data: []lossd.Real{1, 0, 4}}
	request := lossd.CrossEntropyRequest{Input: input, Target: target, ReturnGrad: lossd.PtrBool(true)}
	answer, _, err := api.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("loss", answer.GetLoss(), "gradient", answer.GradInput.Data)
	expect("loss", near(answer.GetLoss(), 1.2848786))
	expect("gradient", near(answer.GradInput.Data[0], 0.18767375) && len(answer.GradInput.Data) == 15)

	// One loss for each row
	request = lossd.CrossEntropyRequest{Input: input, Target: target, Reduction: lossd.REDUCTION_NONE.Ptr()}
	answer, _, err = api.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	if err != nil {
		log.Fatal(err)
	}
	expect("losses", near(answer.Losses.Data[2], 0.6392815))

	// An image: one sample, two classes, 2 x 2 pixels
	image := lossd.Tensor{Shape: []int64{1, 2, 2, 2}, Data: []lossd.Real{0, 1, 2, 3, 0, 0, 0, 0}}
	classes := lossd.Tensor{Shape: []int64{1, 2, 2}, Data: []lossd.Real{0, 1, 0, 1}}
	request = lossd.CrossEntropyRequest{Input: image, Target: classes}
	answer, _, err = api.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	if err != nil {
		log.Fatal(err)
	}
	expect("image loss", near(answer.GetLoss(), 1.2954811))

	// Infinite logits
	masked := lossd.Tensor{Shape: []int64{2, 2}, Data: []lossd.Real{0, 0, 1, lossd.Real(math.Inf(-1))}}
	rows := lossd.LogSoftmaxRequest{Input: masked, Dim: lossd.PtrInt64(1)}
	logs, _, err := api.LogSoftmax(ctx).LogSoftmaxRequest(rows).Execute()
	if err != nil {
		log.Fatal(err)
	}
	expect("-Infinity", math.IsInf(float64(logs.Output.Data[3]), -1))

	// A mean over nothing
	ignored := lossd.Tensor{Shape: []int64{3}, Data: []lossd.Real{-100, -100, -100}}
	request = lossd.CrossEntropyRequest{Input: input, Target: ignored}
	answer, _, err = api.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	if err != nil {
		log.Fatal(err)
	}
	expect("NaN", math.IsNaN(float64(answer.GetLoss())) && len(answer.Warnings) == 1)

	// A refusal
	wrong := lossd.Tensor{Shape: []int64{3}, Data: []lossd.Real{1, 0, 5}}
	request = lossd.CrossEntropyRequest{Input: input, Target: wrong}
	_, _, err = api.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	var refusal *lossd.GenericOpenAPIError
	if errors.As(err, &refusal) {
		problem := refusal.Model().(lossd.Problem)
		fmt.Println(problem.Code, problem.Errors[0].Pointer, problem.Detail)
		expect("code", problem.Code == lossd.PROBLEMCODE_TARGET_OUT_OF_BOUNDS)
		expect("pointer", problem.Errors[0].Pointer == "/target/data/2")
	}

	// No token
	config = lossd.NewConfiguration()
	config.Servers[0].URL = os.Args[1]
	stranger := lossd.NewAPIClient(config).LossdAPI
	_, _, err = stranger.CrossEntropy(ctx).CrossEntropyRequest(request).Execute()
	if errors.As(err, &refusal) {
		problem := refusal.Model().(lossd.Problem)
		expect("unauthorized", problem.Code == lossd.PROBLEMCODE_UNAUTHORIZED)
	}

	// 100000 numbers as bytes
	numbers := make([]float32, 100_000)
	for i := range numbers {
		numbers[i] = float32(i % 7)
	}
	bytes, _ := binary.Append(nil, binary.LittleEndian, numbers)
	large := lossd.Tensor{
		Dtype:  lossd.DTYPE_FLOAT32.Ptr(),
		Shape:  []int64{100, 1000},
		Base64: lossd.PtrString(base64.StdEncoding.EncodeToString(bytes)),
	}
	rows = lossd.LogSoftmaxRequest{Input: large, Dim: lossd.PtrInt64(1)}
	logs, _, err = api.LogSoftmax(ctx).LogSoftmaxRequest(rows).Execute()
	if err != nil {
		log.Fatal(err)
	}
	bytes, _ = base64.StdEncoding.DecodeString(logs.Output.GetBase64())
	output := make([]float32, 100_000)
	binary.Decode(bytes, binary.LittleEndian, output)
	sum := 0.0
	for _, value := range output[:1000] {
		sum += math.Exp(float64(value))
	}
	expect("base64", math.Abs(sum-1) < 1e-5 && slices.Equal(logs.Output.Shape, large.Shape))

	fmt.Println(passed, "steps passed")
}
