package lossd

import (
	"encoding/json"
	"math"
	"strconv"
)

// Real is a float64 that JSON may write as "NaN", "Infinity" or "-Infinity".
type Real float64

// ResultReal is a Real of an answer.
type ResultReal = Real

// Ptr is what a field that may be left out takes.
func (r Real) Ptr() *Real {
	return &r
}

// Reals makes the data of a Tensor.
func Reals[T ~int | ~int64 | ~float32 | ~float64](values []T) []Real {
	data := make([]Real, len(values))
	for i, value := range values {
		data[i] = Real(value)
	}
	return data
}

// Floats is the data of a Tensor as plain numbers.
func Floats(data []Real) []float64 {
	values := make([]float64, len(data))
	for i, value := range data {
		values[i] = float64(value)
	}
	return values
}

// MarshalJSON writes a number, or the name of one that is not finite.
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

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Real) UnmarshalJSON(text []byte) error {
	word := string(text)
	if name, err := strconv.Unquote(word); err == nil {
		word = name
	}
	f, err := strconv.ParseFloat(word, 64)
	*r = Real(f)
	return err
}

// NullableResultReal is a number of an answer that may be missing.
type NullableResultReal struct {
	value *Real
}

// Get is nil where the number is missing, or null.
func (v NullableResultReal) Get() *Real {
	return v.value
}

// Set makes it a number.
func (v *NullableResultReal) Set(value *Real) {
	v.value = value
}

// IsSet tells whether there is a number.
func (v NullableResultReal) IsSet() bool {
	return v.value != nil
}

// Unset makes it missing.
func (v *NullableResultReal) Unset() {
	v.value = nil
}

// MarshalJSON writes the number, or null.
func (v NullableResultReal) MarshalJSON() ([]byte, error) {
	return json.Marshal(v.value)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *NullableResultReal) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &v.value)
}
