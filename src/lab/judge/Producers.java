// Writing what the tests need to exist: single producers that stay open (for interleaved transactions), and `produce`,
// which opens one, writes and closes it.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArraySerializer;

final class Producers {
  private static final Map<String, KafkaProducer<byte[], byte[]>> OPEN = new ConcurrentHashMap<>();
  private static final AtomicLong NEXT = new AtomicLong();

  private Producers() {}

  static void register(Map<String, Judge.Command> commands) {
    commands.put("produce", Producers::produce);
    commands.put("openProducer", request -> {
      String handle = "producer-" + NEXT.incrementAndGet();
      OPEN.put(handle, open(request));
      return Map.of("producer", handle);
    });
    commands.put("begin", request -> { of(request).beginTransaction(); return null; });
    commands.put("send", request -> send(of(request), request));
    commands.put("commit", request -> { of(request).commitTransaction(); return null; });
    commands.put("abort", request -> { of(request).abortTransaction(); return null; });
    commands.put("closeProducer", request -> {
      // Zero: an open transaction is left open, as by a crash.
      KafkaProducer<byte[], byte[]> producer = OPEN.remove(Args.text(request, "producer"));
      if (producer != null) producer.close(request.path("leaveOpen").asBoolean() ? Duration.ZERO : Duration.ofSeconds(10));
      return null;
    });
  }

  static KafkaProducer<byte[], byte[]> open(JsonNode request) {
    Properties properties = Args.client(request);
    set(properties, "compression.type", request, "compression");
    set(properties, "acks", request, "acks");
    set(properties, "enable.idempotence", request, "idempotent");
    set(properties, "linger.ms", request, "lingerMs");
    set(properties, "batch.size", request, "batchBytes");
    set(properties, "transactional.id", request, "transactionalId");
    properties.putIfAbsent("max.request.size", "33554432");
    properties.putIfAbsent("buffer.memory", "134217728");
    properties.putIfAbsent("max.block.ms", "20000");
    KafkaProducer<byte[], byte[]> producer =
        new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
    if (Args.has(request, "transactionalId")) {
      try {
        producer.initTransactions();
      } catch (RuntimeException error) {
        producer.close(Duration.ZERO);
        throw error;
      }
    }
    return producer;
  }

  private static void set(Properties properties, String key, JsonNode request, String name) {
    if (Args.has(request, name)) properties.putIfAbsent(key, request.get(name).asText());
  }

  private static KafkaProducer<byte[], byte[]> of(JsonNode request) {
    KafkaProducer<byte[], byte[]> producer = OPEN.get(Args.text(request, "producer"));
    if (producer == null) throw new IllegalArgumentException("that producer is not open");
    return producer;
  }

  private static Object produce(JsonNode request) throws Exception {
    KafkaProducer<byte[], byte[]> producer = open(request);
    boolean isTransaction = Args.has(request, "transactionalId");
    String end = request.path("end").asText("commit");
    try {
      if (isTransaction) producer.beginTransaction();
      Object sent = send(producer, request);
      if (isTransaction && end.equals("commit")) producer.commitTransaction();
      if (isTransaction && end.equals("abort")) producer.abortTransaction();
      return sent;
    } finally {
      producer.close(end.equals("open") ? Duration.ZERO : Duration.ofSeconds(30));
    }
  }

  /**
   * `records`, or `count` made ones: value of `sizeBytes`, key `key-N` (N modulo `keys`) unless `keys` is 0, at
   * `timestampBase` + N * `timestampStep`. Without `partition` they go round robin. Flushed when it returns.
   */
  private static Object send(KafkaProducer<byte[], byte[]> producer, JsonNode request) throws Exception {
    String topic = Args.text(request, "topic");
    Integer partition = Args.has(request, "partition") ? request.get("partition").asInt() : null;
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    if (Args.has(request, "records")) {
      for (JsonNode record : request.get("records")) sent.add(producer.send(given(topic, partition, record)));
    } else {
      int count = request.path("count").asInt(1);
      int spread = partition == null ? producer.partitionsFor(topic).size() : 1;
      Maker maker = new Maker(request);
      for (int i = 0; i < count; i++)
        sent.add(producer.send(maker.make(topic, partition == null ? i % spread : partition, i)));
    }
    producer.flush();
    Map<Integer, long[]> ranges = new HashMap<>();
    List<Long> offsets = new ArrayList<>();
    for (Future<RecordMetadata> each : sent) {
      RecordMetadata metadata = each.get();
      long[] range = ranges.computeIfAbsent(metadata.partition(), p -> new long[] {Long.MAX_VALUE, -1});
      range[0] = Math.min(range[0], metadata.offset());
      range[1] = Math.max(range[1], metadata.offset());
      offsets.add(metadata.offset());
    }
    List<Object> partitions = new ArrayList<>();
    ranges.forEach((p, range) -> partitions.add(Map.of("partition", p, "first", range[0], "last", range[1])));
    return Map.of("offsets", offsets.size() <= 10_000 ? offsets : List.of(), "partitions", partitions);
  }

  private static ProducerRecord<byte[], byte[]> given(String topic, Integer partition, JsonNode record) {
    RecordHeaders headers = new RecordHeaders();
    record.path("headers").forEach(each -> headers.add(new RecordHeader(each.get(0).asText(), Args.bytes(each.get(1)))));
    Long timestamp = Args.has(record, "timestamp") ? record.get("timestamp").asLong() : null;
    Integer own = Args.has(record, "partition") ? Integer.valueOf(record.get("partition").asInt()) : partition;
    return new ProducerRecord<>(topic, own, timestamp, Args.bytes(record.get("key")), Args.bytes(record.get("value")), headers);
  }

  /** Values that compress about as well as real ones: half random, half not; the same for the same seed. */
  private static final class Maker {
    private final Random random;
    private final int sizeBytes;
    private final int keys;
    private final long base;
    private final long step;

    Maker(JsonNode request) {
      random = new Random(request.path("seed").asLong(1));
      sizeBytes = request.path("sizeBytes").asInt(100);
      keys = request.path("keys").asInt(1000);
      base = request.path("timestampBase").asLong(-1);
      step = request.path("timestampStep").asLong(1);
    }

    ProducerRecord<byte[], byte[]> make(String topic, int partition, int i) {
      byte[] value = new byte[sizeBytes];
      byte[] noise = new byte[sizeBytes / 2];
      random.nextBytes(noise);
      System.arraycopy(noise, 0, value, 0, noise.length);
      byte[] key = keys == 0 ? null : ("key-" + i % keys).getBytes(java.nio.charset.StandardCharsets.UTF_8);
      return new ProducerRecord<>(topic, partition, base < 0 ? null : base + i * step, key, value);
    }
  }
}
