// Reading requests, and the client properties that they imply.

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

final class Args {
  private Args() {}

  static String text(JsonNode request, String name) {
    JsonNode value = request.get(name);
    if (value == null || value.isNull()) throw new IllegalArgumentException("\"" + name + "\" is missing");
    return value.asText();
  }

  static boolean has(JsonNode request, String name) {
    return request.hasNonNull(name);
  }

  static List<String> texts(JsonNode request, String name) {
    List<String> found = new ArrayList<>();
    JsonNode value = request.path(name);
    if (value.isTextual()) found.add(value.asText());
    else value.forEach(each -> found.add(each.asText()));
    return found;
  }

  static Map<String, String> map(JsonNode request, String name) {
    Map<String, String> found = new LinkedHashMap<>();
    request.path(name).fields().forEachRemaining(each -> found.put(each.getKey(), each.getValue().asText()));
    return found;
  }

  /** `bootstrap` and, for SASL and the like, `properties`. */
  static Properties client(JsonNode request) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", text(request, "bootstrap"));
    properties.putAll(map(request, "properties"));
    return properties;
  }

  /** Base64; null stays null. */
  static byte[] bytes(JsonNode value) {
    return value == null || value.isNull() || value.isMissingNode() ? null : Base64.getDecoder().decode(value.asText());
  }

  static String base64(byte[] bytes) {
    return bytes == null ? null : Base64.getEncoder().encodeToString(bytes);
  }
}
