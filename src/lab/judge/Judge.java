// The judge: Java's own Kafka clients, asked over JSON lines, so that kdr is never tested by its own reading of Kafka.
// One line {"id", "do", ...} on stdin is one request; its answer {"id", "ok"} or {"id", "error"} comes when it is ready,
// in any order. The program ends with its stdin.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

public final class Judge {
  interface Command {
    Object run(JsonNode request) throws Exception;
  }

  static final ObjectMapper JSON = new ObjectMapper();
  private static final Map<String, Command> COMMANDS = new HashMap<>();

  public static void main(String[] args) throws Exception {
    Admins.register(COMMANDS);
    Producers.register(COMMANDS);
    Readers.register(COMMANDS);
    Workloads.register(COMMANDS);
    Groups.register(COMMANDS);
    Ledgers.register(COMMANDS);
    Lags.register(COMMANDS);
    ExecutorService threads = Executors.newCachedThreadPool(task -> {
      Thread thread = new Thread(task);
      thread.setDaemon(true);
      return thread;
    });
    var out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8), 1 << 16);
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8), 1 << 16);
    for (String line; (line = in.readLine()) != null; ) {
      String text = line;
      threads.execute(() -> answer(text, out));
    }
    System.exit(0);
  }

  private static void answer(String text, BufferedWriter out) {
    ObjectNode answer = JSON.createObjectNode();
    try {
      JsonNode request = JSON.readTree(text);
      answer.set("id", request.get("id"));
      Command command = COMMANDS.get(request.path("do").asText());
      if (command == null) throw new IllegalArgumentException("no such command: " + request.path("do"));
      answer.set("ok", JSON.valueToTree(command.run(request)));
    } catch (Throwable error) {
      Throwable cause = error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
      ObjectNode what = answer.putObject("error");
      what.put("class", cause.getClass().getSimpleName());
      what.put("message", String.valueOf(cause.getMessage()));
      if (cause instanceof RuntimeException && !(cause instanceof org.apache.kafka.common.KafkaException))
        cause.printStackTrace();
    }
    synchronized (out) {
      try {
        out.write(JSON.writeValueAsString(answer));
        out.write('\n');
        out.flush();
      } catch (java.io.IOException gone) {
        System.exit(0);
      }
    }
  }
}
