// Writing what the tests need to exist: single producers that stay open (for interleaved transactions), and `produce`,
// which opens one, writes and closes it.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.producer.Callback;
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
    commands.put("sendOffsets", request -> {
      of(request).sendOffsetsToTransaction(Groups.offsets(request), new ConsumerGroupMetadata(Args.text(request, "group")));
      return null;
    });
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

  /** With `perTransaction`, every so many records are committed, each time in one partition. */
  private static Object produce(JsonNode request) throws Exception {
    KafkaProducer<byte[], byte[]> producer = open(request);
    boolean isTransaction = Args.has(request, "transactionalId");
    String end = request.path("end").asText("commit");
    try {
      if (Args.has(request, "perTransaction")) return transactions(producer, request);
      if (isTransaction) producer.beginTransaction();
      Object sent = send(producer, request);
      if (isTransaction && end.equals("commit")) producer.commitTransaction();
      if (isTransaction && end.equals("abort")) producer.abortTransaction();
      return sent;
    } finally {
      producer.close(end.equals("open") ? Duration.ZERO : Duration.ofSeconds(30));
    }
  }

  private static Object transactions(KafkaProducer<byte[], byte[]> producer, JsonNode request) throws Exception {
    int size = request.get("perTransaction").asInt();
    int count = request.path("count").asInt(1);
    Spread spread = new Spread(producer, request);
    Maker maker = new Maker(request);
    Tally tally = new Tally(count);
    for (int i = 0; i < count; ) {
      producer.beginTransaction();
      int partition = spread.of(i / size);
      for (int end = Math.min(count, i + size); i < end; i++) producer.send(maker.make(spread.topic, partition, i), tally.at(i));
      producer.commitTransaction();
    }
    return tally.report();
  }

  /**
   * `records`, or `count` made ones: value of `sizeBytes`, key `key-N` (N modulo `keys`) unless `keys` is 0, at
   * `timestampBase` + N * `timestampStep`. Without `partition` they go round robin. Flushed when it returns.
   */
  private static Object send(KafkaProducer<byte[], byte[]> producer, JsonNode request) throws Exception {
    if (Args.has(request, "records")) return sendGiven(producer, request);
    int count = request.path("count").asInt(1);
    Spread spread = new Spread(producer, request);
    Maker maker = new Maker(request);
    Tally tally = new Tally(count);
    for (int i = 0; i < count; i++) producer.send(maker.make(spread.topic, spread.of(i), i), tally.at(i));
    producer.flush();
    return tally.report();
  }

  private static Object sendGiven(KafkaProducer<byte[], byte[]> producer, JsonNode request) throws Exception {
    String topic = Args.text(request, "topic");
    Integer partition = Args.has(request, "partition") ? request.get("partition").asInt() : null;
    Tally tally = new Tally(request.get("records").size());
    int i = 0;
    for (JsonNode record : request.get("records")) producer.send(given(topic, partition, record), tally.at(i++));
    producer.flush();
    return tally.report();
  }

  /** Round robin over the partitions of the topic, unless the request names one. */
  private static final class Spread {
    final String topic;
    private final int from;
    private final int partitions;

    Spread(KafkaProducer<byte[], byte[]> producer, JsonNode request) {
      topic = Args.text(request, "topic");
      from = request.path("partition").asInt(0);
      partitions = Args.has(request, "partition") ? 1 : producer.partitionsFor(topic).size();
    }

    int of(int n) {
      return from + n % partitions;
    }
  }

  /** What became of the records. Millions are sent: nothing is kept of each but, when they are few, its offset. */
  private static final class Tally {
    private final long[] offsets;
    private final Map<Integer, long[]> ranges = new TreeMap<>();
    private Exception failure;

    Tally(int count) {
      offsets = new long[count <= 10_000 ? count : 0];
    }

    Callback at(int i) {
      return (metadata, error) -> add(i, metadata, error);
    }

    private synchronized void add(int i, RecordMetadata metadata, Exception error) {
      if (error != null) {
        if (failure == null) failure = error;
        return;
      }
      long[] range = ranges.computeIfAbsent(metadata.partition(), p -> new long[] {Long.MAX_VALUE, -1});
      range[0] = Math.min(range[0], metadata.offset());
      range[1] = Math.max(range[1], metadata.offset());
      if (i < offsets.length) offsets[i] = metadata.offset();
    }

    synchronized Object report() throws Exception {
      if (failure != null) throw failure;
      List<Object> partitions = new ArrayList<>();
      ranges.forEach((p, range) -> partitions.add(Map.of("partition", p, "first", range[0], "last", range[1])));
      return Map.of("offsets", offsets, "partitions", partitions);
    }
  }

  private static ProducerRecord<byte[], byte[]> given(String topic, Integer partition, JsonNode record) {
    RecordHeaders headers = new RecordHeaders();
    record.path("headers").forEach(each -> headers.add(new RecordHeader(each.get(0).asText(), Args.bytes(each.get(1)))));
    Long timestamp = Args.has(record, "timestamp") ? record.get("timestamp").asLong() : null;
    Integer own = Args.has(record, "partition") ? Integer.valueOf(record.get("partition").asInt()) : partition;
    return new ProducerRecord<>(topic, own, timestamp, Args.bytes(record.get("key")), Args.bytes(record.get("value")), headers);
  }
}
