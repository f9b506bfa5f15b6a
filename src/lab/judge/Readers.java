// Reading what is there, as Java's consumer sees it: digests of whole partitions, listings of a few records, and a
// comparison of two clusters record by record.

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

final class Readers {
  private static final long STUCK_NANOS = 30_000_000_000L;

  private Readers() {}

  static void register(Map<String, Judge.Command> commands) {
    commands.put("digest", Readers::digest);
    commands.put("list", Readers::list);
    commands.put("compare", Readers::compare);
    commands.put("ends", Readers::ends);
    commands.put("awaitEnds", Readers::awaitEnds);
  }

  static KafkaConsumer<byte[], byte[]> open(JsonNode request, boolean isCommitted) {
    Properties properties = Args.client(request);
    properties.putIfAbsent("isolation.level", isCommitted ? "read_committed" : "read_uncommitted");
    properties.putIfAbsent("enable.auto.commit", "false");
    properties.putIfAbsent("auto.offset.reset", "none");
    properties.putIfAbsent("max.poll.records", "5000");
    properties.putIfAbsent("max.partition.fetch.bytes", "4194304");
    properties.putIfAbsent("fetch.max.wait.ms", "100");
    return new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  static boolean isCommitted(JsonNode request) {
    return !request.path("isolation").asText("committed").equals("uncommitted");
  }

  /** The records of one partition from its log start, or `from`, to its end, or `to`, in order. */
  static final class Walk {
    final TopicPartition partition;
    final long start;
    /** The high watermark, or with `committed` the last stable offset. */
    final long end;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final long until;
    private final ArrayDeque<ConsumerRecord<byte[], byte[]>> ready = new ArrayDeque<>();
    private long movedAt = System.nanoTime();
    private long position;

    Walk(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long from, long to) {
      this.consumer = consumer;
      this.partition = partition;
      start = consumer.beginningOffsets(List.of(partition)).get(partition);
      end = consumer.endOffsets(List.of(partition)).get(partition);
      until = Math.min(end, to);
      position = Math.max(start, from);
      consumer.assign(List.of(partition));
      consumer.seek(partition, position);
    }

    /** Null at the end. */
    ConsumerRecord<byte[], byte[]> next() {
      while (ready.isEmpty()) {
        if (position >= until) return null;
        consumer.poll(Duration.ofMillis(200)).records(partition).forEach(ready::add);
        long now = consumer.position(partition);
        if (now > position) movedAt = System.nanoTime();
        else if (System.nanoTime() - movedAt > STUCK_NANOS)
          throw new IllegalStateException("nothing more of " + partition + " after " + position + " of " + until);
        position = now;
      }
      ConsumerRecord<byte[], byte[]> record = ready.poll();
      return record.offset() < until ? record : null;
    }
  }

  private static List<TopicPartition> partitionsOf(KafkaConsumer<byte[], byte[]> consumer, JsonNode request, String topic) {
    List<TopicPartition> found = new ArrayList<>();
    boolean isOne = Args.has(request, "partition");
    for (var info : consumer.partitionsFor(topic))
      if (!isOne || info.partition() == request.get("partition").asInt()) found.add(new TopicPartition(topic, info.partition()));
    found.sort((a, b) -> a.partition() - b.partition());
    return found;
  }

  /**
   * The high watermarks of `topics`: [topic, partition, end]. A consumer would go by the partitions that it knew for minutes;
   * this is asked of topics to which some are added. A topic that is not there has none.
   */
  private static Object ends(JsonNode request) throws Exception {
    var admin = Admins.of(request);
    Map<TopicPartition, OffsetSpec> asked = new LinkedHashMap<>();
    for (var topic : admin.describeTopics(Args.texts(request, "topics")).topicNameValues().entrySet()) {
      try {
        for (var info : topic.getValue().get().partitions())
          asked.put(new TopicPartition(topic.getKey(), info.partition()), OffsetSpec.latest());
      } catch (ExecutionException e) {
        if (!(e.getCause() instanceof UnknownTopicOrPartitionException)) throw e;
      }
    }
    List<Object> found = new ArrayList<>();
    admin.listOffsets(asked).all().get().forEach((at, end) -> found.add(List.of(at.topic(), at.partition(), end.offset())));
    return found;
  }

  /**
   * Waits until the high watermarks of `topic`, or of all topics that begin with `prefix`, add up to `sum`, at most
   * `timeoutMs`. Returns what they add up to and when that was seen, on the wall clock. Topics that are not there yet
   * have none. It looks every `everyMs` (20).
   */
  private static Object awaitEnds(JsonNode request) throws InterruptedException {
    long wanted = request.path("sum").asLong();
    long deadline = System.nanoTime() + request.path("timeoutMs").asLong(10_000) * 1_000_000;
    try (var consumer = open(request, false)) {
      List<TopicPartition> partitions = List.of();
      for (long sum = 0; ; Thread.sleep(request.path("everyMs").asLong(20))) {
        // The partitions of one topic stay as they are once it is there.
        if (partitions.isEmpty() || Args.has(request, "prefix")) partitions = visible(consumer, request);
        if (!partitions.isEmpty())
          sum = consumer.endOffsets(partitions).values().stream().mapToLong(Long::longValue).sum();
        if (sum >= wanted || System.nanoTime() > deadline) return Map.of("sum", sum, "atMs", System.currentTimeMillis());
      }
    }
  }

  private static List<TopicPartition> visible(KafkaConsumer<byte[], byte[]> consumer, JsonNode request) {
    if (!Args.has(request, "prefix")) {
      String topic = Args.text(request, "topic");
      return consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
    }
    String prefix = Args.text(request, "prefix");
    return consumer.listTopics().entrySet().stream().filter(each -> each.getKey().startsWith(prefix))
        .flatMap(each -> each.getValue().stream()).map(info -> new TopicPartition(info.topic(), info.partition())).toList();
  }

  private static Object digest(JsonNode request) throws Exception {
    List<Object> found = new ArrayList<>();
    try (var consumer = open(request, isCommitted(request))) {
      for (TopicPartition partition : partitionsOf(consumer, request, Args.text(request, "topic"))) {
        Walk walk = new Walk(consumer, partition, request.path("from").asLong(0), request.path("to").asLong(Long.MAX_VALUE));
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        long count = 0;
        long bytes = 0;
        for (ConsumerRecord<byte[], byte[]> record; (record = walk.next()) != null; count++) {
          feed(sha, record);
          bytes += Math.max(0, record.serializedKeySize()) + Math.max(0, record.serializedValueSize());
        }
        Map<String, Object> each = new LinkedHashMap<>();
        each.put("partition", partition.partition());
        each.put("logStart", walk.start);
        each.put("end", walk.end);
        each.put("count", count);
        each.put("bytes", bytes);
        each.put("sha256", HexFormat.of().formatHex(sha.digest()));
        found.add(each);
      }
    }
    return found;
  }

  /** Offset, timestamp, key, value, headers, each with its length (-1 for null), so that no two records feed the same. */
  private static void feed(MessageDigest sha, ConsumerRecord<byte[], byte[]> record) {
    Header[] headers = record.headers().toArray();
    ByteBuffer head = ByteBuffer.allocate(20);
    sha.update(head.putLong(record.offset()).putLong(record.timestamp()).putInt(headers.length).array());
    feed(sha, record.key());
    feed(sha, record.value());
    for (Header header : headers) {
      feed(sha, header.key().getBytes(java.nio.charset.StandardCharsets.UTF_8));
      feed(sha, header.value());
    }
  }

  private static void feed(MessageDigest sha, byte[] bytes) {
    sha.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).array());
    if (bytes != null) sha.update(bytes);
  }

  private static Object list(JsonNode request) {
    List<Object> found = new ArrayList<>();
    try (var consumer = open(request, isCommitted(request))) {
      for (TopicPartition partition : partitionsOf(consumer, request, Args.text(request, "topic"))) {
        Walk walk = new Walk(consumer, partition, request.path("from").asLong(0), request.path("to").asLong(Long.MAX_VALUE));
        for (ConsumerRecord<byte[], byte[]> record; (record = walk.next()) != null; ) found.add(show(record));
      }
    }
    return found;
  }

  private static Object show(ConsumerRecord<byte[], byte[]> record) {
    List<Object> headers = new ArrayList<>();
    record.headers().forEach(header -> headers.add(Arrays.asList(header.key(), Args.base64(header.value()))));
    Map<String, Object> shown = new LinkedHashMap<>();
    shown.put("partition", record.partition());
    shown.put("offset", record.offset());
    shown.put("timestamp", record.timestamp());
    shown.put("timestampType", record.timestampType().name);
    shown.put("key", Args.base64(record.key()));
    shown.put("value", Args.base64(record.value()));
    shown.put("headers", headers);
    return shown;
  }

  /** `topics` of `a` and `b` ({bootstrap, properties}), record by record. */
  private static Object compare(JsonNode request) {
    List<Object> found = new ArrayList<>();
    boolean isIdentical = true;
    boolean isCommitted = isCommitted(request);
    try (var a = open(request.get("a"), isCommitted); var b = open(request.get("b"), isCommitted)) {
      for (String topic : Args.texts(request, "topics")) {
        List<TopicPartition> ofA = partitionsOf(a, request, topic);
        List<TopicPartition> ofB = partitionsOf(b, request, topic);
        if (ofA.size() != ofB.size()) {
          found.add(Map.of("topic", topic, "partition", -1, "identical", false, "firstDifference",
              Map.of("offset", -1, "what", ofA.size() + " and " + ofB.size() + " partitions")));
          isIdentical = false;
          continue;
        }
        for (TopicPartition partition : ofA) {
          Map<String, Object> each = comparePartition(a, b, partition);
          isIdentical &= (Boolean) each.get("identical");
          found.add(each);
        }
      }
    }
    return Map.of("identical", isIdentical, "partitions", found);
  }

  private static Map<String, Object> comparePartition(
      KafkaConsumer<byte[], byte[]> a, KafkaConsumer<byte[], byte[]> b, TopicPartition partition) {
    Walk walkA = new Walk(a, partition, 0, Long.MAX_VALUE);
    Walk walkB = new Walk(b, partition, 0, Long.MAX_VALUE);
    long same = 0;
    long onlyA = 0;
    long onlyB = 0;
    long different = 0;
    Map<String, Object> first = null;
    var recordA = walkA.next();
    var recordB = walkB.next();
    while (recordA != null || recordB != null) {
      String what;
      long offset;
      if (recordB == null || (recordA != null && recordA.offset() < recordB.offset())) {
        what = "only in a";
        offset = recordA.offset();
        onlyA++;
        recordA = walkA.next();
      } else if (recordA == null || recordB.offset() < recordA.offset()) {
        what = "only in b";
        offset = recordB.offset();
        onlyB++;
        recordB = walkB.next();
      } else {
        what = differenceOf(recordA, recordB);
        offset = recordA.offset();
        if (what == null) same++;
        else different++;
        recordA = walkA.next();
        recordB = walkB.next();
      }
      if (what != null && first == null) first = Map.of("offset", offset, "what", what);
    }
    Map<String, Object> each = new LinkedHashMap<>();
    each.put("topic", partition.topic());
    each.put("partition", partition.partition());
    each.put("identical", first == null && walkA.start == walkB.start && walkA.end == walkB.end);
    each.put("logStart", List.of(walkA.start, walkB.start));
    each.put("end", List.of(walkA.end, walkB.end));
    each.put("same", same);
    each.put("onlyA", onlyA);
    each.put("onlyB", onlyB);
    each.put("different", different);
    if (first != null) each.put("firstDifference", first);
    return each;
  }

  /** Null when there is none. Timestamp types are not compared: a copy of a LogAppendTime record carries its time. */
  private static String differenceOf(ConsumerRecord<byte[], byte[]> a, ConsumerRecord<byte[], byte[]> b) {
    if (a.timestamp() != b.timestamp()) return "timestamps " + a.timestamp() + " and " + b.timestamp();
    if (!Arrays.equals(a.key(), b.key())) return "keys";
    if (!Arrays.equals(a.value(), b.value())) return "values";
    return Objects.equals(a.headers(), b.headers()) ? null : "headers";
  }
}
