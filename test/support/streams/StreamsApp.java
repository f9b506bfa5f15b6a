import java.io.File;
import java.time.Duration;
import java.time.Instant;
import java.util.Properties;
import java.util.Scanner;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * args: BOOTSTRAP APP STATE_DIR. Exactly once: `words` (value: a word) is counted by word, through a repartition topic, in windows of a day; and
 * joined by key with the table of `names` into `joined`. Each line on stdin is answered with the totals of all windows: `word=count,...`.
 */
public class StreamsApp {
  public static void main(String[] args) throws Exception {
    var properties = new Properties();
    properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    properties.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    properties.put(StreamsConfig.STATE_DIR_CONFIG, new File(args[2]).getAbsolutePath());
    properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200);
    properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    properties.put("auto.offset.reset", "earliest");
    properties.put("session.timeout.ms", "6000");
    properties.put("heartbeat.interval.ms", "1500");
    var strings = Serdes.String();
    var consumed = Consumed.with(strings, strings);
    var builder = new StreamsBuilder();
    var words = builder.stream("words", consumed);
    words
        .selectKey((key, word) -> word)
        .groupByKey(Grouped.with("by-word", strings, strings))
        .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofDays(1)))
        .count(Materialized.as("counts"));
    words
        .join(builder.table("names", consumed, Materialized.as("names")), (word, name) -> name + " says " + word)
        .to("joined", Produced.with(strings, strings));
    try (var streams = new KafkaStreams(builder.build(), properties)) {
      streams.start();
      while (streams.state() != KafkaStreams.State.RUNNING) Thread.sleep(50);
      System.out.println("running");
      var input = new Scanner(System.in);
      while (input.hasNextLine()) {
        input.nextLine();
        var store = streams.store(StoreQueryParameters.fromNameAndType("counts", QueryableStoreTypes.<String, Long>windowStore()));
        var totals = new java.util.TreeMap<String, Long>();
        try (var all = store.fetchAll(Instant.EPOCH, Instant.now().plus(Duration.ofDays(2)))) {
          all.forEachRemaining(each -> totals.merge(each.key.key(), each.value, Long::sum));
        }
        var text = new StringBuilder();
        totals.forEach((word, count) -> text.append(text.isEmpty() ? "" : ",").append(word).append("=").append(count));
        System.out.println(text);
      }
      streams.close(Duration.ofSeconds(10));
    }
  }
}
