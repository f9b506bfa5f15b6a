// How much later a record can be read at a mirror than at its source. Both are read at once by two consumers of this
// process, so that one clock says when each record of a workload came: the difference is the lag that the mirroring adds.

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

final class Lags {
  private static final Map<String, Lags> KNOWN = new ConcurrentHashMap<>();
  private static final AtomicLong NEXT = new AtomicLong();

  static void register(Map<String, Judge.Command> commands) {
    commands.put("startLag", request -> {
      String name = "lag-" + NEXT.incrementAndGet();
      KNOWN.put(name, new Lags(request));
      return Map.of("lag", name);
    });
    commands.put("lagSeen", request -> {
      Lags lag = KNOWN.get(Args.text(request, "lag"));
      return Map.of("source", lag.source.count, "target", lag.target.count);
    });
    commands.put("stopLag", request -> KNOWN.remove(Args.text(request, "lag"))
        .report(request.path("from").asInt(), request.path("to").asInt()));
  }

  private final Watcher source;
  private final Watcher target;

  /** The topic must be there on both sides. */
  private Lags(JsonNode request) {
    String workload = Args.text(request, "workload");
    String topic = Args.text(request, "topic");
    source = new Watcher(request.get("source"), topic, workload);
    target = new Watcher(request.get("target"), topic, workload);
    source.start();
    target.start();
  }

  /** Over the workload's records `from` to `to` (not included), in ms; `missing` are those that one side has not shown. */
  private Object report(int from, int to) throws InterruptedException {
    source.end();
    target.end();
    double[] lags = new double[Math.max(0, to - from)];
    int count = 0;
    for (int n = from; n < to; n++)
      if (source.at(n) != 0 && target.at(n) != 0) lags[count++] = (target.at(n) - source.at(n)) / 1e6;
    double[] sorted = Arrays.copyOf(lags, count);
    Arrays.sort(sorted);
    Map<String, Object> report = new LinkedHashMap<>();
    report.put("records", count);
    report.put("missing", lags.length - count);
    for (int percent : List.of(50, 90, 99, 100))
      report.put(percent == 100 ? "max" : "p" + percent, count == 0 ? -1 : sorted[(int) Math.min(count - 1, (long) count * percent / 100)]);
    return report;
  }

  private static final class Watcher extends Thread {
    volatile int count;
    private final JsonNode cluster;
    private final String topic;
    private final byte[] prefix;
    private volatile boolean isEnding;
    /** When record n was first seen; 0: never. */
    private long[] seen = new long[1 << 16];

    Watcher(JsonNode cluster, String topic, String workload) {
      super("lag of " + topic);
      setDaemon(true);
      this.cluster = cluster;
      this.topic = topic;
      prefix = (workload + ":").getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    }

    @Override
    public void run() {
      try (var consumer = Readers.open(cluster, true)) {
        var partitions = consumer.partitionsFor(topic).stream().map(info -> new TopicPartition(topic, info.partition())).toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        while (!isEnding) {
          var records = consumer.poll(Duration.ofMillis(100));
          long now = System.nanoTime();
          for (ConsumerRecord<byte[], byte[]> record : records) note(record.value(), now);
        }
      }
    }

    /** `NAME:N|`: the digits are read in place, since there are thousands a second. */
    private void note(byte[] value, long now) {
      if (value == null || value.length <= prefix.length || !Arrays.equals(value, 0, prefix.length, prefix, 0, prefix.length)) return;
      int n = 0;
      for (int i = prefix.length; i < value.length && value[i] >= '0' && value[i] <= '9'; i++) n = n * 10 + value[i] - '0';
      if (n >= seen.length) seen = Arrays.copyOf(seen, Math.max(n + 1, seen.length * 2));
      if (seen[n] == 0) {
        seen[n] = now;
        count++;
      }
    }

    void end() throws InterruptedException {
      isEnding = true;
      join(5_000);
    }

    long at(int n) {
      return n < seen.length ? seen[n] : 0;
    }
  }
}
