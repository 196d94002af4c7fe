import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.stream.DoubleStream;
import lossd.*;

/** A tour of the Java SDK. Usage: java Tour URL TOKEN */
public class Tour {
  static int passed = 0;

  static void expect(String what, boolean ok) {
    if (!ok) throw new AssertionError(what + ": not as expected");
    passed++;
  }

  static boolean near(double a, double b) {
    return Math.abs(a - b) < 1e-6;
  }

  static Tensor tensor(List<Long> shape, double... data) {
    return new Tensor().shape(shape).data(DoubleStream.of(data).boxed().toList());
  }

  public static void main(String[] args) throws Exception {
    // Connect
    var client = new ApiClient();
    client.updateBaseUri(args[0]);
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + args[1]));
    var api = new LossdApi(client);

    // Cross entropy with its gradient
    var input = tensor(List.of(3L, 5L),
        2, 1, 0, -1, 0.5,
        0.25, 0.5, -0.5, 1, -1,
        1, 0.75, -0.25, 0, 2);
    var target = tensor(List.of(3L), 1, 0, 4);
    var answer = api.crossEntropy(new CrossEntropyRequest().input(input).target(target).returnGrad(true));
    System.out.println("loss " + answer.getLoss() + " gradient " + answer.getGradInput().getData());
    expect("loss", near(answer.getLoss(), 1.2848786));
    expect("gradient", near(answer.getGradInput().getData().get(0), 0.18767375));

    // One loss for each row
    var each = new CrossEntropyRequest().input(input).target(target).reduction(Reduction.NONE);
    var rows = api.crossEntropy(each);
    expect("losses", near(rows.getLosses().getData().get(2), 0.6392815));

    // An image: one sample, two classes, 2 x 2 pixels
    var image = tensor(List.of(1L, 2L, 2L, 2L), 0, 1, 2, 3, 0, 0, 0, 0);
    var classes = tensor(List.of(1L, 2L, 2L), 0, 1, 0, 1);
    var pixels = api.crossEntropy(new CrossEntropyRequest().input(image).target(classes));
    expect("image loss", near(pixels.getLoss(), 1.2954811));

    // Infinite logits
    var masked = tensor(List.of(2L, 2L), 0, 0, 1, Double.NEGATIVE_INFINITY);
    var logs = api.logSoftmax(new LogSoftmaxRequest().input(masked).dim(1L));
    expect("-Infinity", logs.getOutput().getData().get(3) == Double.NEGATIVE_INFINITY);

    // A mean over nothing
    var ignored = tensor(List.of(3L), -100, -100, -100);
    var nothing = api.crossEntropy(new CrossEntropyRequest().input(input).target(ignored));
    expect("NaN", nothing.getLoss().isNaN() && nothing.getWarnings().size() == 1);

    // A refusal
    try {
      api.crossEntropy(new CrossEntropyRequest().input(input).target(tensor(List.of(3L), 1, 0, 5)));
    } catch (ApiException refusal) {
      var problem = client.getObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
      System.out.println(problem.getCode() + " " + problem.getErrors().get(0).getPointer());
      expect("code", problem.getCode() == ProblemCode.TARGET_OUT_OF_BOUNDS);
      expect("pointer", problem.getErrors().get(0).getPointer().equals("/target/data/2"));
    }

    // No token
    var stranger = new ApiClient();
    stranger.updateBaseUri(args[0]);
    try {
      new LossdApi(stranger).crossEntropy(new CrossEntropyRequest().input(input).target(target));
    } catch (ApiException refusal) {
      expect("unauthorized", refusal.getCode() == 401);
    }

    // 100000 numbers as bytes
    var bytes = ByteBuffer.allocate(400_000).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 100_000; i++) bytes.putFloat(i % 7);
    var large = new Tensor().dtype(DType.FLOAT32).shape(List.of(100L, 1000L)).base64(bytes.array());
    var output = api.logSoftmax(new LogSoftmaxRequest().input(large).dim(1L)).getOutput();
    var values = ByteBuffer.wrap(output.getBase64()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    double sum = 0;
    for (int i = 0; i < 1000; i++) sum += Math.exp(values.get(i));
    expect("base64", Math.abs(sum - 1) < 1e-5 && output.getShape().equals(large.getShape()));

    System.out.println(passed + " steps passed");
  }
}
