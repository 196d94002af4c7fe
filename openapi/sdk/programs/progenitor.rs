use lossd::Client;
use lossd::types::{CrossEntropyRequest, NonFiniteStyle, Real, Tensor};

async fn loss(client: &Client, target: f64) -> String {
    let tensor = |shape: Vec<i64>, data: Vec<f64>| Tensor {
        shape,
        data: data.into_iter().map(Real).collect(),
        base64: None,
        dtype: None,
    };
    let request = CrossEntropyRequest {
        input: tensor(vec![1, 3], vec![2.0, 1.0, 0.0]),
        target: tensor(vec![1], vec![target]),
        non_finite: NonFiniteStyle::Null,
        format: None,
        grad_output: None,
        ignore_index: None,
        label_smoothing: None,
        reduction: None,
        return_grad: None,
        return_grad_target: None,
        weight: None,
    };
    let answer = client.cross_entropy(&request).await.unwrap().into_inner();
    match answer.loss.and_then(|real| real.0) {
        Some(loss) => loss.to_string(),
        None => "null".into(),
    }
}

#[tokio::main]
async fn main() {
    let client = Client::new(&std::env::var("LOSSD_URL").unwrap());
    println!("loss {}", loss(&client, 0.0).await);
    println!("nan {}", loss(&client, -100.0).await);
}
