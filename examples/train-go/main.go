// Trains a linear classifier on Fisher's iris flowers (1936) with the gradients of a running lossd:
// logits = x W + b; the gradient g of the logits gives dW = transposed x times g, and db = the sum of g's rows.
// Usage: go run . URL IRIS.json
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
)

const (
	classes = 3
	steps   = 300
	rate    = 0.5
)

// tensor is lossd's flat format; by default a target is int64 and an input float32.
type tensor struct {
	Shape []int     `json:"shape"`
	Data  []float64 `json:"data"`
}

type request struct {
	Input      tensor `json:"input"`
	Target     tensor `json:"target"`
	ReturnGrad bool   `json:"return_grad"`
}

type answer struct {
	Loss      float64 `json:"loss"`
	GradInput tensor  `json:"grad_input"`
}

// flowers is the file of the module github.com/pa-m/sklearn: 150 rows of 4 measures, and their classes.
type flowers struct {
	Data   [][]float64 `json:"data"`
	Target []float64   `json:"target"`
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("expected the server's address and the file of the flowers")
	}
	url, file := os.Args[1], os.Args[2]
	x, y := load(file)
	w := make([]float64, len(x[0])*classes)
	b := make([]float64, classes)
	for step := 0; step <= steps; step++ {
		logits := forward(x, w, b)
		loss, g := crossEntropy(url, logits, y)
		if step%100 == 0 {
			fmt.Printf("step %3d  loss %.4f  accuracy %.4f\n", step, loss, accuracy(logits, y))
		}
		for n, row := range x {
			for c := 0; c < classes; c++ {
				for f, value := range row {
					w[f*classes+c] -= rate * value * g[n*classes+c]
				}
				b[c] -= rate * g[n*classes+c]
			}
		}
	}
}

// crossEntropy requests the mean loss and its gradient with respect to the logits from lossd.
func crossEntropy(url string, logits, target []float64) (float64, []float64) {
	body, err := json.Marshal(request{
		Input:      tensor{[]int{len(target), classes}, logits},
		Target:     tensor{[]int{len(target)}, target},
		ReturnGrad: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	response, err := http.Post(url+"/v1/cross_entropy", "application/json", bytes.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		log.Fatalf("%s: %s", response.Status, text)
	}
	var result answer
	if err := json.Unmarshal(text, &result); err != nil {
		log.Fatal(err)
	}
	return result.Loss, result.GradInput.Data
}

func forward(x [][]float64, w, b []float64) []float64 {
	logits := make([]float64, 0, len(x)*classes)
	for _, row := range x {
		for c := 0; c < classes; c++ {
			sum := b[c]
			for f, value := range row {
				sum += value * w[f*classes+c]
			}
			logits = append(logits, sum)
		}
	}
	return logits
}

func accuracy(logits, target []float64) float64 {
	right := 0
	for n, class := range target {
		best := 0
		for c := 1; c < classes; c++ {
			if logits[n*classes+c] > logits[n*classes+best] {
				best = c
			}
		}
		if best == int(class) {
			right++
		}
	}
	return float64(right) / float64(len(target))
}

// load reads the flowers, each measure with mean 0 and deviation 1.
func load(file string) ([][]float64, []float64) {
	text, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	var all flowers
	if err := json.Unmarshal(text, &all); err != nil {
		log.Fatal(err)
	}
	for f := range all.Data[0] {
		sum, squares := 0.0, 0.0
		for _, row := range all.Data {
			sum += row[f]
			squares += row[f] * row[f]
		}
		count := float64(len(all.Data))
		mean := sum / count
		deviation := math.Sqrt(squares/count - mean*mean)
		for _, row := range all.Data {
			row[f] = (row[f] - mean) / deviation
		}
	}
	return all.Data, all.Target
}
