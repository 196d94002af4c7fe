package lossd

import (
	"encoding/json"
	"math"
	"strconv"
)

// Real is a float64 that JSON may write as "NaN", "Infinity" or "-Infinity".
type Real float64

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
