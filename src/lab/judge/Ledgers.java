// A cluster held against the ledger of a workload, partition by partition: what stands where it was acknowledged, what is
// missing at the tail, and everything else, which is a problem with an offset.

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

final class Ledgers {
  private static final int PROBLEMS_SHOWN = 20;

  private Ledgers() {}

  static void register(Map<String, Judge.Command> commands) {
    commands.put("auditLedger", Ledgers::auditLedger);
  }

  /** `cuts`: by partition, where the copy ends, whatever stands above. `kind`: plain (every offset holds a record), transactional or compacted. `consumers`: members of one group. */
  private static Object auditLedger(JsonNode request) {
    Workloads.Writer writer = Workloads.of(request);
    Map<Integer, TreeMap<Long, Workloads.Entry>> ledger = new TreeMap<>();
    Map<Long, Workloads.Entry> byNumber = new HashMap<>();
    for (Workloads.Entry entry : writer.acknowledged()) {
      ledger.computeIfAbsent(entry.partition(), none -> new TreeMap<>()).put(entry.offset(), entry);
      byNumber.put(entry.n(), entry);
    }
    List<Groups.Member> members = Args.texts(request, "consumers").stream().map(Groups::of).toList();
    List<Object> found = new ArrayList<>();
    try (var consumer = Readers.open(request, true)) {
      for (var info : consumer.partitionsFor(writer.topic)) {
        var walk = new Readers.Walk(consumer, new TopicPartition(writer.topic, info.partition()), 0, Long.MAX_VALUE);
        var entries = ledger.getOrDefault(info.partition(), new TreeMap<>());
        long cut = request.path("cuts").path(String.valueOf(info.partition())).asLong(Long.MAX_VALUE);
        found.add(new Audit(request.path("kind").asText("plain"), writer, entries, byNumber, members).of(walk, cut));
      }
    }
    return found;
  }

  private static final class Audit {
    private final String kind;
    private final Workloads.Writer writer;
    private final TreeMap<Long, Workloads.Entry> entries;
    private final Map<Long, Workloads.Entry> byNumber;
    private final List<Groups.Member> members;
    /** The last acknowledged offset of each key. */
    private final Map<String, Long> lastOfKey = new HashMap<>();
    private final TreeMap<Long, String> problems = new TreeMap<>();
    private long unacknowledged;

    Audit(String kind, Workloads.Writer writer, TreeMap<Long, Workloads.Entry> entries,
        Map<Long, Workloads.Entry> byNumber, List<Groups.Member> members) {
      this.kind = kind;
      this.writer = writer;
      this.entries = entries;
      this.byNumber = byNumber;
      this.members = members;
      for (Workloads.Entry entry : entries.values()) lastOfKey.put(keyOf(entry), entry.offset());
    }

    private String keyOf(Workloads.Entry entry) {
      byte[] key = writer.keyOf(entry.n());
      return key == null ? "" : new String(key, java.nio.charset.StandardCharsets.US_ASCII);
    }

    /** Compaction may remove it: the same key was acknowledged again, later. */
    private boolean isSuperseded(Workloads.Entry entry) {
      return kind.equals("compacted") && lastOfKey.get(keyOf(entry)) > entry.offset();
    }

    Object of(Readers.Walk walk, long cut) {
      long end = Math.min(walk.end, cut);
      TreeMap<Long, Workloads.Entry> left = new TreeMap<>(entries);
      long expected = walk.start;
      for (ConsumerRecord<byte[], byte[]> record; (record = walk.next()) != null && record.offset() < end; expected = record.offset() + 1) {
        if (kind.equals("plain")) for (long gap = expected; gap < record.offset(); gap++) noteGap(gap);
        Workloads.Entry entry = left.remove(record.offset());
        if (entry != null) checkSame(entry, record);
        else checkExtra(record);
      }
      if (kind.equals("plain")) for (long gap = expected; gap < end; gap++) noteGap(gap);
      Map<Long, Workloads.Entry> tail = left.tailMap(end);
      long superseded = 0;
      for (Workloads.Entry entry : left.headMap(end).values()) {
        if (isSuperseded(entry)) superseded++;
        else problems.put(entry.offset(), "was acknowledged, and is not there");
      }
      Map<String, Object> report = new LinkedHashMap<>();
      report.put("partition", walk.partition.partition());
      report.put("end", end);
      report.put("acknowledged", entries.size());
      report.put("present", entries.size() - left.size());
      report.put("superseded", superseded);
      report.put("lost", tail.size());
      report.put("firstLostAckMs", tail.values().stream().mapToLong(Workloads.Entry::ackMs).min().orElse(-1));
      report.put("unacknowledged", unacknowledged);
      report.put("problems", problems.size());
      report.put("firstProblems", problems.entrySet().stream().limit(PROBLEMS_SHOWN)
          .map(each -> Map.of("offset", each.getKey(), "what", each.getValue())).toList());
      return report;
    }

    private void noteGap(long offset) {
      if (!entries.containsKey(offset)) problems.put(offset, "holds no record, and nothing explains why");
    }

    private void checkSame(Workloads.Entry entry, ConsumerRecord<byte[], byte[]> record) {
      if (!Arrays.equals(record.value(), writer.valueOf(entry.n())) || !Arrays.equals(record.key(), writer.keyOf(entry.n())))
        problems.put(record.offset(), "holds another record than the one that was acknowledged");
      else if (record.timestamp() != entry.timestamp())
        problems.put(record.offset(), "has the timestamp " + record.timestamp() + " instead of " + entry.timestamp());
      else if (!members.isEmpty() && !isSuperseded(entry)
          && members.stream().noneMatch(member -> member.hasReceived(writer.name + ":" + entry.n())))
        problems.put(record.offset(), "was never delivered to the consumer group");
    }

    /** No acknowledgement came from here: the crash may have cut it off, else it does not belong here. */
    private void checkExtra(ConsumerRecord<byte[], byte[]> record) {
      long n = Workloads.numberOf(writer.name, record.value());
      Workloads.Entry elsewhere = byNumber.get(n);
      if (n < 0) problems.put(record.offset(), "holds a record that nobody has written to the source");
      else if (writer.hasAborted(n)) problems.put(record.offset(), "holds a record of an aborted transaction");
      else if (elsewhere != null)
        problems.put(record.offset(),
            "holds the record that was acknowledged at " + elsewhere.partition() + "/" + elsewhere.offset());
      else unacknowledged++;
    }
  }
}
