// Records that are made up: the same ones for the same seed, so that every run writes the same bytes.

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.apache.kafka.clients.producer.ProducerRecord;

/** By `format`: `noise` (default), half of it random, or `json`, an order as a shop would write it. */
final class Maker {
  private static final String[] FIRST = {"anna", "ben", "carla", "david", "elif", "felix", "grace", "hugo", "ines", "jonas"};
  private static final String[] LAST = {"meyer", "santos", "novak", "rossi", "smith", "tanaka", "dubois", "kaya", "larsen", "okafor"};
  private static final String[] STATUS = {"created", "paid", "picked", "shipped", "delivered", "returned"};
  private static final String[] COUNTRY = {"DE", "FR", "IT", "PL", "ES", "NL", "SE", "AT"};
  private static final long DAY = 1_760_000_000_000L;

  private final Random random;
  private final boolean isJson;
  private final int sizeBytes;
  private final int keys;
  private final long base;
  private final long step;
  private final StringBuilder text = new StringBuilder(1024);

  Maker(JsonNode request) {
    random = new Random(request.path("seed").asLong(1));
    isJson = request.path("format").asText("noise").equals("json");
    sizeBytes = request.path("sizeBytes").asInt(100);
    keys = request.path("keys").asInt(1000);
    base = request.path("timestampBase").asLong(-1);
    step = request.path("timestampStep").asLong(1);
  }

  ProducerRecord<byte[], byte[]> make(String topic, int partition, int i) {
    byte[] key = keys == 0 ? null : ("key-" + i % keys).getBytes(StandardCharsets.UTF_8);
    byte[] value = isJson ? order(i) : noise();
    return new ProducerRecord<>(topic, partition, base < 0 ? null : base + i * step, key, value);
  }

  private byte[] noise() {
    byte[] value = new byte[sizeBytes];
    byte[] half = new byte[sizeBytes / 2];
    random.nextBytes(half);
    System.arraycopy(half, 0, value, 0, half.length);
    return value;
  }

  /** `sizeBytes` long: more items as long as they fit, then a note of blanks. */
  private byte[] order(int i) {
    String first = pick(FIRST);
    String last = pick(LAST);
    text.setLength(0);
    text.append("{\"orderId\":\"").append(hex()).append("\",\"traceId\":\"").append(hex()).append(hex()).append("\",\"number\":").append(1_000_000 + i)
        .append(",\"placedAt\":").append(DAY + i * 37L).append(",\"status\":\"").append(pick(STATUS))
        .append("\",\"customer\":{\"id\":").append(random.nextInt(500_000)).append(",\"email\":\"").append(first).append('.').append(last)
        .append("@example.com\",\"country\":\"").append(pick(COUNTRY)).append("\"},\"items\":[");
    int tail = 32;
    for (int n = 0; n == 0 || text.length() + 64 + tail < sizeBytes; n++) {
      if (n > 0) text.append(',');
      text.append("{\"sku\":\"SKU-").append(10_000 + random.nextInt(40_000)).append("\",\"quantity\":").append(1 + random.nextInt(5))
          .append(",\"price\":").append(random.nextInt(20_000) / 100.0).append('}');
    }
    text.append("],\"note\":\"");
    byte[] value = new byte[Math.max(sizeBytes, text.length() + 2)];
    Arrays.fill(value, (byte) ' ');
    byte[] head = text.toString().getBytes(StandardCharsets.ISO_8859_1);
    System.arraycopy(head, 0, value, 0, head.length);
    value[value.length - 2] = '"';
    value[value.length - 1] = '}';
    return value;
  }

  private String hex() {
    return Long.toHexString(random.nextLong());
  }

  private String pick(String[] from) {
    return from[random.nextInt(from.length)];
  }
}
