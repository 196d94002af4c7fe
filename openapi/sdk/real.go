package lossd

import (
	"encoding/json"
	"math"
	"strconv"
)

// Real is a float64 that JSON may encode as "NaN", "Infinity" or "-Infinity".
type Real float64

// ResultReal is a Real of a response.
type ResultReal = Real

// Reals converts numbers to the data of a Tensor.
func Reals[T ~int | ~int64 | ~float32 | ~float64](values []T) []Real {
	data := make([]Real, len(values))
	for i, value := range values {
		data[i] = Real(value)
	}
	return data
}

// Floats converts the data of a Tensor to numbers.
func Floats(data []Real) []float64 {
	values := make([]float64, len(data))
	for i, value := range data {
		values[i] = float64(value)
	}
	return values
}

// MarshalJSON encodes a number, or the name of a non-finite number.
func (r Real) MarshalJSON() ([]byte, error) {
	switch f := float64(r); {
	case math.IsNaN(f):
		return []byte(`"NaN"`), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}

// UnmarshalJSON decodes the output of MarshalJSON.
func (r *Real) UnmarshalJSON(text []byte) error {
	word := string(text)
	if name, err := strconv.Unquote(word); err == nil {
		word = name
	}
	f, err := strconv.ParseFloat(word, 64)
	*r = Real(f)
	return err
}

// NullableResultReal is an optional number of a response.
type NullableResultReal struct {
	value *Real
}

// Get returns nil if the number is missing or null.
func (v NullableResultReal) Get() *Real {
	return v.value
}

// Set sets the number.
func (v *NullableResultReal) Set(value *Real) {
	v.value = value
}

// IsSet reports whether the number is set.
func (v NullableResultReal) IsSet() bool {
	return v.value != nil
}

// Unset removes the number.
func (v *NullableResultReal) Unset() {
	v.value = nil
}

// MarshalJSON encodes the number, or null.
func (v NullableResultReal) MarshalJSON() ([]byte, error) {
	return json.Marshal(v.value)
}

// UnmarshalJSON decodes the output of MarshalJSON.
func (v *NullableResultReal) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &v.value)
}
