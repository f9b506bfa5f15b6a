// Consumer groups: members that read and commit in the background and remember what they received, and the groups'
// committed offsets.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsOptions;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;

final class Groups {
  private static final Map<String, Member> MEMBERS = new ConcurrentHashMap<>();
  private static final AtomicLong NEXT = new AtomicLong();

  private Groups() {}

  static void register(Map<String, Judge.Command> commands) {
    commands.put("startConsumer", request -> {
      String name = "c" + NEXT.incrementAndGet();
      Member member = new Member(name, request);
      MEMBERS.put(name, member);
      member.start();
      return Map.of("consumer", name);
    });
    commands.put("consumer", request -> of(Args.text(request, "consumer")).report());
    commands.put("stopConsumer", request -> {
      Member member = of(Args.text(request, "consumer"));
      member.end(request.path("crash").asBoolean());
      return member.report();
    });
    commands.put("pauseConsumer", request -> {
      of(Args.text(request, "consumer")).isPaused = request.path("paused").asBoolean(true);
      return null;
    });
    commands.put("auditConsumers", Groups::auditConsumers);
    commands.put("groupOffsets", Groups::groupOffsets);
    commands.put("alterGroupOffsets", Groups::alterGroupOffsets);
    commands.put("deleteGroup", request -> {
      Admins.of(request).deleteConsumerGroups(List.of(Args.text(request, "group"))).all().get();
      return null;
    });
    commands.put("deleteGroupOffsets", Groups::deleteGroupOffsets);
    commands.put("alterManyGroups", Groups::alterManyGroups);
    commands.put("makeShareGroup", Groups::makeShareGroup);
    commands.put("listGroups", request -> {
      List<Object> found = new ArrayList<>();
      for (var group : Admins.of(request).listGroups().all().get())
        found.add(Map.of("group", group.groupId(), "type", group.type().map(String::valueOf).orElse(""),
            "state", group.groupState().map(String::valueOf).orElse("")));
      return found;
    });
  }

  static Member of(String name) {
    Member member = MEMBERS.get(name);
    if (member == null) throw new IllegalArgumentException("no such consumer: " + name);
    return member;
  }

  static final class Member extends Thread {
    private final JsonNode request;
    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Map<String, Long> positions = new TreeMap<>();
    /** By `WORKLOAD:N`. */
    private final Map<String, Integer> received = new HashMap<>();
    private volatile boolean isEnding;
    /** It stays a member and commits where it is. */
    private volatile boolean isPaused;
    private boolean isCrash;
    private long count;
    private long firstAtMs = -1;
    private String lastError;
    private List<String> assigned = List.of();

    Member(String name, JsonNode request) {
      super(name);
      setDaemon(true);
      this.request = request;
      ObjectNode own = request.deepCopy();
      ObjectNode properties = own.withObject("/properties");
      properties.put("group.id", Args.text(request, "group"));
      if (!properties.has("auto.offset.reset")) properties.put("auto.offset.reset", "earliest");
      if (Args.has(request, "protocol")) properties.put("group.protocol", Args.text(request, "protocol"));
      consumer = Readers.open(own, Readers.isCommitted(request));
    }

    @Override
    public void run() {
      consumer.subscribe(Args.texts(request, "topics"));
      long restMs = request.path("restMs").asLong(0);
      long commitEvery = request.path("commitEveryMs").asLong(200) * 1_000_000;
      long committedAt = System.nanoTime();
      while (!isEnding) {
        try {
          if (isPaused) consumer.pause(consumer.assignment());
          else consumer.resume(consumer.paused());
          for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) take(record);
          if (restMs > 0) Thread.sleep(restMs);
          look();
          if (commitEvery > 0 && System.nanoTime() - committedAt > commitEvery) {
            consumer.commitSync(Duration.ofSeconds(5));
            committedAt = System.nanoTime();
          }
        } catch (InterruptedException ended) {
          break;
        } catch (RuntimeException error) {
          note(error);
        }
      }
      try {
        if (!isCrash && commitEvery > 0) consumer.commitSync(Duration.ofSeconds(5));
      } catch (RuntimeException error) {
        note(error);
      }
      consumer.close(isCrash ? Duration.ZERO : Duration.ofSeconds(5));
    }

    private synchronized void take(ConsumerRecord<byte[], byte[]> record) {
      if (count++ == 0) firstAtMs = System.currentTimeMillis();
      positions.put(record.topic() + "-" + record.partition(), record.offset() + 1);
      String id = Workloads.idOf(record.value());
      if (id != null) received.merge(id, 1, Integer::sum);
    }

    private synchronized void look() {
      assigned = consumer.assignment().stream().map(TopicPartition::toString).sorted().toList();
    }

    private synchronized void note(RuntimeException error) {
      lastError = error.getClass().getSimpleName() + ": " + error.getMessage();
    }

    void end(boolean isCrash) throws InterruptedException {
      this.isCrash = isCrash;
      isEnding = true;
      join(20_000);
    }

    synchronized Object report() {
      Map<String, Object> report = new LinkedHashMap<>();
      report.put("received", count);
      report.put("distinct", received.size());
      report.put("duplicates", received.values().stream().mapToInt(each -> each - 1).sum());
      report.put("firstAtMs", firstAtMs);
      report.put("positions", new TreeMap<>(positions));
      report.put("assigned", assigned);
      report.put("lastError", lastError);
      return report;
    }

    synchronized boolean hasReceived(String id) {
      return received.containsKey(id);
    }

    synchronized void addTo(Map<String, Integer> all) {
      received.forEach((id, times) -> all.merge(id, times, Integer::sum));
    }
  }

  /** What `consumers` together have received of a workload's acknowledged records. */
  private static Object auditConsumers(JsonNode request) {
    Workloads.Writer writer = Workloads.of(request);
    Map<String, Integer> all = new HashMap<>();
    for (String name : Args.texts(request, "consumers")) of(name).addTo(all);
    Collection<Workloads.Entry> entries = writer.acknowledged();
    List<Workloads.Entry> missing =
        entries.stream().filter(entry -> !all.containsKey(writer.name + ":" + entry.n())).toList();
    return Map.of("acknowledged", entries.size(), "missing", missing.size(),
        "firstMissing", missing.stream().limit(20).map(Workloads.Entry::shown).toList(),
        "duplicates", all.values().stream().mapToInt(each -> each - 1).sum());
  }

  private static Object groupOffsets(JsonNode request) throws Exception {
    String group = Args.text(request, "group");
    var spec = Map.of(group, new ListConsumerGroupOffsetsSpec());
    var found = Admins.of(request).listConsumerGroupOffsets(spec, new ListConsumerGroupOffsetsOptions().requireStable(true))
        .partitionsToOffsetAndMetadata(group).get();
    List<Map<String, Object>> offsets = new ArrayList<>();
    found.forEach((partition, at) -> {
      if (at != null) offsets.add(Map.of("topic", partition.topic(), "partition", partition.partition(),
          "offset", at.offset(), "metadata", at.metadata(), "leaderEpoch", at.leaderEpoch().orElse(-1)));
    });
    offsets.sort((a, b) -> (a.get("topic") + "-" + a.get("partition")).compareTo(b.get("topic") + "-" + b.get("partition")));
    return offsets;
  }

  static Map<TopicPartition, OffsetAndMetadata> offsets(JsonNode request) {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    request.path("offsets").forEach(each -> offsets.put(
        new TopicPartition(Args.text(each, "topic"), each.path("partition").asInt()),
        new OffsetAndMetadata(each.path("offset").asLong(), each.path("metadata").asText(""))));
    return offsets;
  }

  private static Object alterGroupOffsets(JsonNode request) throws Exception {
    Admins.of(request).alterConsumerGroupOffsets(Args.text(request, "group"), offsets(request)).all().get();
    return null;
  }

  private static Object deleteGroupOffsets(JsonNode request) throws Exception {
    var gone = java.util.Set.of(new TopicPartition(Args.text(request, "topic"), request.path("partition").asInt()));
    Admins.of(request).deleteConsumerGroupOffsets(Args.text(request, "group"), gone).all().get();
    return null;
  }

  /** `PREFIX-0` and so on, each at `offset` of all partitions of the topic; some hundred at a time. */
  private static Object alterManyGroups(JsonNode request) throws Exception {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    for (int p = 0; p < request.path("partitions").asInt(); p++)
      offsets.put(new TopicPartition(Args.text(request, "topic"), p), new OffsetAndMetadata(request.path("offset").asLong()));
    var admin = Admins.of(request);
    List<org.apache.kafka.common.KafkaFuture<Void>> open = new ArrayList<>();
    for (int g = request.path("from").asInt(); g < request.path("to").asInt(); g++) {
      open.add(admin.alterConsumerGroupOffsets(Args.text(request, "prefix") + "-" + g, offsets).all());
      if (open.size() < 300) continue;
      for (var one : open) one.get();
      open.clear();
    }
    for (var one : open) one.get();
    return null;
  }

  /** One that a member has joined and left. */
  private static Object makeShareGroup(JsonNode request) {
    ObjectNode own = request.deepCopy();
    own.withObject("/properties").put("group.id", Args.text(request, "group"));
    var properties = Args.client(own);
    String bytes = "org.apache.kafka.common.serialization.ByteArrayDeserializer";
    properties.put("key.deserializer", bytes);
    properties.put("value.deserializer", bytes);
    try (var consumer = new org.apache.kafka.clients.consumer.KafkaShareConsumer<byte[], byte[]>(properties)) {
      consumer.subscribe(Args.texts(request, "topics"));
      for (int polls = 0; polls < 10; polls++) consumer.poll(Duration.ofMillis(200));
    }
    return null;
  }
}
