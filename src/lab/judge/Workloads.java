// Writers that go on in the background while the test breaks things, each with a ledger of what Kafka has acknowledged:
// what a standby is measured against afterwards. Every value begins with its id, `NAME:N|`.

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

final class Workloads {
  private static final Map<String, Writer> KNOWN = new ConcurrentHashMap<>();
  private static final AtomicLong NEXT = new AtomicLong();

  private Workloads() {}

  static void register(Map<String, Judge.Command> commands) {
    commands.put("startWorkload", request -> {
      String name = "w" + NEXT.incrementAndGet();
      Writer writer = new Writer(name, request);
      KNOWN.put(name, writer);
      writer.start();
      return Map.of("workload", name);
    });
    commands.put("workload", request -> of(request).report(request.path("ledger").asBoolean()));
    commands.put("stopWorkload", request -> {
      of(request).end(request.path("timeoutMs").asLong(5000));
      return of(request).report(request.path("ledger").asBoolean());
    });
    commands.put("auditTopic", Workloads::auditTopic);
  }

  static Writer of(JsonNode request) {
    Writer writer = KNOWN.get(Args.text(request, "workload"));
    if (writer == null) throw new IllegalArgumentException("no such workload");
    return writer;
  }

  /** Acknowledged, or with transactions committed. */
  record Entry(int partition, long offset, long n, long ackMs, long timestamp) {
    List<Long> shown() {
      return List.of((long) partition, offset, n, ackMs);
    }
  }

  private static final Pattern ID = Pattern.compile("^(w\\d+:\\d+)\\|");

  /** `NAME:N`, or null for a value that no workload has written. */
  static String idOf(byte[] value) {
    if (value == null || value.length == 0 || value[0] != 'w') return null;
    Matcher match = ID.matcher(new String(value, 0, Math.min(value.length, 40), StandardCharsets.ISO_8859_1));
    return match.find() ? match.group(1) : null;
  }

  /** N of a value of the workload `name`; -1 for anything else. */
  static long numberOf(String name, byte[] value) {
    String id = idOf(value);
    return id != null && id.startsWith(name + ":") ? Long.parseLong(id.substring(name.length() + 1)) : -1;
  }

  static final class Writer extends Thread {
    final String name;
    final String topic;
    private final JsonNode request;
    private final List<Entry> ledger = new ArrayList<>();
    /** Numbers that no committed reader may ever see. */
    private final Set<Long> aborted = new HashSet<>();
    private final int perTransaction;
    private KafkaProducer<byte[], byte[]> producer;
    private volatile boolean isEnding;
    private long sent;
    private long failed;
    private String lastError;

    Writer(String name, JsonNode request) {
      super(name);
      setDaemon(true);
      this.name = name;
      this.request = request;
      topic = Args.text(request, "topic");
      perTransaction = Args.has(request, "transactionalId") ? request.path("perTransaction").asInt(10) : 0;
      ((com.fasterxml.jackson.databind.node.ObjectNode) request).put("acks", "all");
      producer = Producers.open(request);
    }

    @Override
    public void run() {
      double rate = request.path("rate").asDouble(100);
      long burst = request.path("burst").asLong(0);
      long begun = System.nanoTime();
      long n = 0;
      while (!isEnding) {
        // The burst comes first; the clock of the rate starts when it is out.
        if (n < burst) begun = System.nanoTime();
        long due = (long) ((System.nanoTime() - begun) / 1e9 * rate) - Math.max(0, n - burst);
        // After a stall it does not make up for more than a second.
        if (due > rate) begun += (long) ((due - rate) / rate * 1e9);
        if (n >= burst && due < Math.max(1, perTransaction)) {
          pause(2);
          continue;
        }
        try {
          if (perTransaction > 0) n = transaction(n);
          else send(n++, ledger);
        } catch (RuntimeException error) {
          note(error);
          if (perTransaction > 0) reopen();
          pause(50);
        }
      }
    }

    private long transaction(long from) {
      List<Entry> acknowledged = new ArrayList<>();
      producer.beginTransaction();
      for (long n = from; n < from + perTransaction; n++) send(n, acknowledged);
      boolean isAbort = request.path("abortEvery").asInt(0) > 0
          && from / perTransaction % request.path("abortEvery").asInt() == request.path("abortEvery").asInt() - 1;
      if (isAbort) {
        // What is aborted must be in the log, not still in memory.
        producer.flush();
        producer.abortTransaction();
        synchronized (ledger) {
          for (Entry each : acknowledged) aborted.add(each.n);
        }
      } else {
        producer.commitTransaction();
        long now = System.currentTimeMillis();
        synchronized (ledger) {
          for (Entry each : acknowledged) ledger.add(new Entry(each.partition, each.offset, each.n, now, each.timestamp));
        }
      }
      return from + perTransaction;
    }

    private void send(long n, List<Entry> into) {
      synchronized (ledger) {
        sent++;
      }
      Long timestamp = Args.has(request, "ageMs") ? Long.valueOf(System.currentTimeMillis() - request.get("ageMs").asLong()) : null;
      producer.send(new ProducerRecord<>(topic, null, timestamp, keyOf(n), valueOf(n)), (metadata, error) -> {
        if (error != null) note(error);
        else synchronized (ledger) {
          into.add(new Entry(metadata.partition(), metadata.offset(), n, System.currentTimeMillis(), metadata.timestamp()));
        }
      });
    }

    byte[] keyOf(long n) {
      int keys = request.path("keys").asInt(0);
      return keys == 0 ? null : ("key-" + n % keys).getBytes(StandardCharsets.US_ASCII);
    }

    byte[] valueOf(long n) {
      byte[] id = (name + ":" + n + "|").getBytes(StandardCharsets.US_ASCII);
      return Arrays.copyOf(id, Math.max(id.length, request.path("sizeBytes").asInt(100)));
    }

    /** Whatever became of the transaction, a new producer of the same id ends it. */
    private void reopen() {
      try {
        producer.close(Duration.ZERO);
        producer = Producers.open(request);
      } catch (RuntimeException error) {
        note(error);
      }
    }

    private void note(Exception error) {
      synchronized (ledger) {
        failed++;
        lastError = error.getClass().getSimpleName() + ": " + error.getMessage();
      }
    }

    private static void pause(long ms) {
      try {
        Thread.sleep(ms);
      } catch (InterruptedException end) {
        Thread.currentThread().interrupt();
      }
    }

    void end(long timeoutMs) throws InterruptedException {
      isEnding = true;
      join(timeoutMs);
      producer.close(Duration.ofMillis(timeoutMs));
    }

    List<Entry> acknowledged() {
      synchronized (ledger) {
        return List.copyOf(ledger);
      }
    }

    boolean hasAborted(long n) {
      synchronized (ledger) {
        return aborted.contains(n);
      }
    }

    Object report(boolean isFull) {
      Map<String, Object> report = new LinkedHashMap<>();
      synchronized (ledger) {
        report.put("sent", sent);
        report.put("acknowledged", ledger.size());
        report.put("failed", failed);
        report.put("lastError", lastError);
        report.put("lastAckMs", ledger.isEmpty() ? -1 : ledger.get(ledger.size() - 1).ackMs);
      }
      if (isFull) report.put("ledger", acknowledged().stream().map(Entry::shown).toList());
      return report;
    }
  }

  /** What a cluster's topic holds of a workload's acknowledged records. */
  private static Object auditTopic(JsonNode request) {
    Writer writer = of(request);
    String topic = request.path("topic").asText(writer.topic);
    Map<Long, Entry> wanted = new HashMap<>();
    for (Entry entry : writer.acknowledged()) wanted.put(entry.n, entry);
    int acknowledged = wanted.size();
    Map<Long, Integer> seen = new HashMap<>();
    long moved = 0;
    long unacknowledged = 0;
    long foreign = 0;
    try (var consumer = Readers.open(request, Readers.isCommitted(request))) {
      for (var info : consumer.partitionsFor(topic)) {
        var walk = new Readers.Walk(consumer, new TopicPartition(topic, info.partition()), 0, Long.MAX_VALUE);
        for (ConsumerRecord<byte[], byte[]> record; (record = walk.next()) != null; ) {
          long n = numberOf(writer.name, record.value());
          Entry entry = wanted.get(n);
          if (n < 0) foreign++;
          else if (entry == null) unacknowledged++;
          else if (entry.partition != record.partition() || entry.offset != record.offset()) moved++;
          if (n >= 0) seen.merge(n, 1, Integer::sum);
        }
      }
    }
    wanted.keySet().removeAll(seen.keySet());
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("acknowledged", acknowledged);
    report.put("present", acknowledged - wanted.size());
    report.put("missing", wanted.size());
    report.put("firstMissing", wanted.values().stream().sorted((a, b) -> Long.compare(a.n, b.n)).limit(20).map(Entry::shown).toList());
    report.put("repeated", seen.values().stream().filter(count -> count > 1).count());
    report.put("moved", moved);
    report.put("unacknowledged", unacknowledged);
    report.put("foreign", foreign);
    return report;
  }
}
