//! Numbers of tensors and results.
use serde::{de, Deserialize, Deserializer, Serialize, Serializer};

/// An f64 that JSON may encode as "NaN", "Infinity" or "-Infinity".
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Real(pub f64);

/// Converts numbers to the data of a tensor.
pub fn reals<T: Into<f64> + Copy>(values: &[T]) -> Vec<Real> {
    values.iter().map(|&value| Real(value.into())).collect()
}

/// Converts the data of a tensor to numbers.
pub fn floats(data: &[Real]) -> Vec<f64> {
    data.iter().map(|real| real.0).collect()
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else if self.0.is_nan() {
            serializer.serialize_str("NaN")
        } else {
            serializer.serialize_str(if self.0 > 0.0 { "Infinity" } else { "-Infinity" })
        }
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Name(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(Real(value)),
            Written::Name(name) => match name.as_str() {
                "NaN" => Ok(Real(f64::NAN)),
                "Infinity" => Ok(Real(f64::INFINITY)),
                "-Infinity" => Ok(Real(f64::NEG_INFINITY)),
                _ => Err(de::Error::custom(format!("expected a number, got {name:?}"))),
            },
        }
    }
}
