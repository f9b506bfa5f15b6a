// Topics, configs, ACLs, leaders. Every command waits until Kafka has done it. Admin clients are kept for each cluster.

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.UserScramCredentialAlteration;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AccessControlEntryFilter;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourcePatternFilter;
import org.apache.kafka.common.resource.ResourceType;

final class Admins {
  private static final Map<Properties, Admin> KEPT = new ConcurrentHashMap<>();

  private Admins() {}

  static Admin of(JsonNode request) {
    return KEPT.computeIfAbsent(Args.client(request), Admin::create);
  }

  static void register(Map<String, Judge.Command> commands) {
    commands.put("createTopic", Admins::createTopic);
    commands.put("createTopics", Admins::createTopics);
    commands.put("deleteTopic", Admins::deleteTopic);
    commands.put("deleteTopics", request -> delete(request, Args.texts(request, "topics")));
    commands.put("createPartitions", Admins::createPartitions);
    commands.put("describeTopic", Admins::describeTopic);
    commands.put("listTopics", request -> new java.util.TreeSet<>(of(request).listTopics().names().get()));
    commands.put("alterConfigs", Admins::alterConfigs);
    commands.put("describeConfigs", Admins::describeConfigs);
    commands.put("deleteRecords", Admins::deleteRecords);
    commands.put("reassign", Admins::reassign);
    commands.put("setReplicas", Admins::setReplicas);
    commands.put("electUnclean", Admins::electUnclean);
    commands.put("setQuota", Admins::setQuota);
    commands.put("describeQuotas", Admins::describeQuotas);
    commands.put("setUser", Admins::setUser);
    commands.put("createAcls", request -> { of(request).createAcls(bindings(request)).all().get(); return null; });
    commands.put("deleteAcls", Admins::deleteAcls);
    commands.put("describeAcls", Admins::describeAcls);
  }

  private static Object createTopic(JsonNode request) throws Exception {
    String name = Args.text(request, "topic");
    int partitions = request.path("partitions").asInt(1);
    NewTopic topic = Args.has(request, "replicas")
        ? new NewTopic(name, assignment(request, partitions))
        : new NewTopic(name, Optional.of(partitions), Optional.of((short) request.path("rf").asInt(-1)).filter(rf -> rf > 0));
    topic.configs(Args.map(request, "configs"));
    Admin admin = of(request);
    admin.createTopics(List.of(topic)).all().get();
    // The controller has it; wait until the brokers know its leaders. Each look may go to another one.
    for (long end = System.nanoTime() + 30_000_000_000L; System.nanoTime() < end; Thread.sleep(20)) {
      try {
        TopicDescription seen = admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
        if (seen.partitions().size() == partitions && seen.partitions().stream().allMatch(p -> p.leader() != null)) {
          awaitLogs(admin, name, partitions);
          return describeTopic(request);
        }
      } catch (java.util.concurrent.ExecutionException unknownYet) {
        if (!(unknownYet.getCause() instanceof UnknownTopicOrPartitionException)) throw unknownYet;
      }
    }
    return describeTopic(request);
  }

  /**
   * Until each leader has made its log. A producer (4.4.0, idempotent) whose first batch comes before that may never send it
   * again: of 40 topics with 6 partitions each it lost 8 to its delivery time-out, and none when it began later.
   */
  private static void awaitLogs(Admin admin, String topic, int partitions) throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    for (int p = 0; p < partitions; p++) asked.put(new TopicPartition(topic, p), OffsetSpec.latest());
    admin.listOffsets(asked).all().get();
  }

  /** `replicas`: lists of brokers, taken in turn by the partitions. */
  private static Map<Integer, List<Integer>> assignment(JsonNode request, int partitions) {
    JsonNode lists = request.get("replicas");
    Map<Integer, List<Integer>> found = new TreeMap<>();
    for (int p = 0; p < partitions; p++) found.put(p, numbers(lists.get(p % lists.size())));
    return found;
  }

  private static List<Integer> numbers(JsonNode list) {
    List<Integer> found = new ArrayList<>();
    list.forEach(each -> found.add(each.asInt()));
    return found;
  }

  /** Many topics alike; 100 a request, so that the controller is not held up. */
  private static Object createTopics(JsonNode request) throws Exception {
    List<String> names = Args.texts(request, "topics");
    for (int from = 0; from < names.size(); from += 100) {
      List<NewTopic> some = new ArrayList<>();
      for (String name : names.subList(from, Math.min(names.size(), from + 100)))
        some.add(new NewTopic(name, Optional.of(request.path("partitions").asInt(1)), Optional.empty()));
      of(request).createTopics(some).all().get();
    }
    return null;
  }

  private static Object deleteTopic(JsonNode request) throws Exception {
    return delete(request, List.of(Args.text(request, "topic")));
  }

  private static Object delete(JsonNode request, List<String> names) throws Exception {
    Admin admin = of(request);
    admin.deleteTopics(names).all().get();
    while (!java.util.Collections.disjoint(admin.listTopics().names().get(), names)) Thread.sleep(20);
    return null;
  }

  private static Object createPartitions(JsonNode request) throws Exception {
    int count = request.path("count").asInt();
    of(request).createPartitions(Map.of(Args.text(request, "topic"), NewPartitions.increaseTo(count))).all().get();
    return null;
  }

  private static Object describeTopic(JsonNode request) throws Exception {
    String name = Args.text(request, "topic");
    TopicDescription seen = of(request).describeTopics(List.of(name)).allTopicNames().get().get(name);
    List<Object> partitions = new ArrayList<>();
    seen.partitions().forEach(p -> {
      Map<String, Object> each = new HashMap<>();
      each.put("partition", p.partition());
      each.put("leader", p.leader() == null ? -1 : p.leader().id());
      each.put("replicas", p.replicas().stream().map(Node::id).toList());
      each.put("isr", p.isr().stream().map(Node::id).toList());
      partitions.add(each);
    });
    return Map.of("topicId", seen.topicId().toString(), "partitions", partitions);
  }

  private static ConfigResource resourceOf(JsonNode request) {
    return Args.has(request, "topic")
        ? new ConfigResource(ConfigResource.Type.TOPIC, Args.text(request, "topic"))
        : new ConfigResource(ConfigResource.Type.BROKER, request.path("broker").asText(""));
  }

  private static Object alterConfigs(JsonNode request) throws Exception {
    List<AlterConfigOp> changes = new ArrayList<>();
    request.path("configs").fields().forEachRemaining(each -> {
      boolean isSet = !each.getValue().isNull();
      changes.add(new AlterConfigOp(new ConfigEntry(each.getKey(), isSet ? each.getValue().asText() : null),
          isSet ? AlterConfigOp.OpType.SET : AlterConfigOp.OpType.DELETE));
    });
    of(request).incrementalAlterConfigs(Map.of(resourceOf(request), changes)).all().get();
    return null;
  }

  /** Only what is set on the topic (or broker) itself, unless `all`. */
  private static Object describeConfigs(JsonNode request) throws Exception {
    ConfigResource resource = resourceOf(request);
    Collection<ConfigEntry> entries = of(request).describeConfigs(List.of(resource)).all().get().get(resource).entries();
    boolean isAll = request.path("all").asBoolean();
    Map<String, String> found = new TreeMap<>();
    for (ConfigEntry entry : entries)
      if (isAll || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG
          || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG) found.put(entry.name(), entry.value());
    return found;
  }

  private static Object deleteRecords(JsonNode request) throws Exception {
    TopicPartition partition = new TopicPartition(Args.text(request, "topic"), request.path("partition").asInt());
    RecordsToDelete before = RecordsToDelete.beforeOffset(request.path("before").asLong());
    var done = of(request).deleteRecords(Map.of(partition, before)).lowWatermarks().get(partition).get();
    return Map.of("logStart", done.lowWatermark());
  }

  /** Moves a partition to `replicas` and, since the first of them is preferred, its leader to that one. */
  private static Object reassign(JsonNode request) throws Exception {
    Admin admin = of(request);
    TopicPartition partition = new TopicPartition(Args.text(request, "topic"), request.path("partition").asInt());
    List<Integer> replicas = numbers(request.get("replicas"));
    admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(replicas)))).all().get();
    while (!admin.listPartitionReassignments(Set.of(partition)).reassignments().get().isEmpty()) Thread.sleep(50);
    for (long end = System.nanoTime() + 30_000_000_000L; System.nanoTime() < end; Thread.sleep(50)) {
      Node leader = admin.describeTopics(List.of(partition.topic())).allTopicNames().get().get(partition.topic())
          .partitions().get(partition.partition()).leader();
      if (leader != null && leader.id() == replicas.get(0)) return Map.of("leader", leader.id());
      // Its answer may be that no election is needed.
      admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get();
    }
    throw new IllegalStateException("the leader of " + partition + " did not move");
  }

  /** Makes a replica that is not in sync the leader, if no other one lives. */
  private static Object electUnclean(JsonNode request) throws Exception {
    TopicPartition partition = new TopicPartition(Args.text(request, "topic"), request.path("partition").asInt());
    var failure = of(request).electLeaders(ElectionType.UNCLEAN, Set.of(partition)).partitions().get().get(partition);
    if (failure != null && failure.isPresent()) throw new IllegalStateException(failure.get());
    return null;
  }

  /** Of a client id, or of `entity` (a name that is null is the default): bytes a second; one that is null is taken away. */
  private static Object setQuota(JsonNode request) throws Exception {
    Map<String, String> entries = new HashMap<>();
    if (Args.has(request, "clientId")) entries.put(ClientQuotaEntity.CLIENT_ID, Args.text(request, "clientId"));
    request.path("entity").fields().forEachRemaining(each ->
        entries.put(each.getKey(), each.getValue().isNull() ? null : each.getValue().asText()));
    ClientQuotaEntity entity = new ClientQuotaEntity(entries);
    List<ClientQuotaAlteration.Op> ops = new ArrayList<>();
    request.path("quotas").fields().forEachRemaining(each ->
        ops.add(new ClientQuotaAlteration.Op(each.getKey(), each.getValue().isNull() ? null : each.getValue().asDouble())));
    of(request).alterClientQuotas(List.of(new ClientQuotaAlteration(entity, ops))).all().get();
    return null;
  }

  /** A line each, such as `client-id=c,user=<default> producer_byte_rate=1000.0`, sorted. */
  private static Object describeQuotas(JsonNode request) throws Exception {
    List<String> found = new ArrayList<>();
    of(request).describeClientQuotas(ClientQuotaFilter.all()).entities().get().forEach((entity, values) -> {
      List<String> names = new ArrayList<>();
      new TreeMap<>(entity.entries()).forEach((type, name) -> names.add(type + "=" + (name == null ? "<default>" : name)));
      values.forEach((key, value) -> found.add(String.join(",", names) + " " + key + "=" + value));
    });
    java.util.Collections.sort(found);
    return found;
  }

  /** Makes a SCRAM user, or takes it away when there is no password. */
  private static Object setUser(JsonNode request) throws Exception {
    ScramMechanism mechanism = ScramMechanism.fromMechanismName(Args.text(request, "mechanism"));
    String user = Args.text(request, "user");
    UserScramCredentialAlteration change = Args.has(request, "password")
        ? new UserScramCredentialUpsertion(user, new ScramCredentialInfo(mechanism, 4096), Args.text(request, "password"))
        : new UserScramCredentialDeletion(user, mechanism);
    of(request).alterUserScramCredentials(List.of(change)).all().get();
    return null;
  }

  /** The brokers of every partition of a topic; returns when all of them are in sync, or the surplus ones are gone. */
  private static Object setReplicas(JsonNode request) throws Exception {
    Admin admin = of(request);
    String topic = Args.text(request, "topic");
    var wanted = Optional.of(new NewPartitionReassignment(numbers(request.get("replicas"))));
    Map<TopicPartition, Optional<NewPartitionReassignment>> changes = new HashMap<>();
    for (var partition : admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions())
      changes.put(new TopicPartition(topic, partition.partition()), wanted);
    admin.alterPartitionReassignments(changes).all().get();
    while (!admin.listPartitionReassignments(changes.keySet()).reassignments().get().isEmpty()) Thread.sleep(10);
    return null;
  }

  private static List<AclBinding> bindings(JsonNode request) {
    List<AclBinding> found = new ArrayList<>();
    request.path("acls").forEach(acl -> found.add(new AclBinding(
        new ResourcePattern(ResourceType.fromString(Args.text(acl, "type")), acl.path("name").asText("kafka-cluster"),
            PatternType.fromString(acl.path("pattern").asText("LITERAL"))),
        new AccessControlEntry(Args.text(acl, "principal"), acl.path("host").asText("*"),
            AclOperation.fromString(Args.text(acl, "operation")),
            AclPermissionType.fromString(acl.path("permission").asText("ALLOW"))))));
    return found;
  }

  private static Object deleteAcls(JsonNode request) throws Exception {
    List<AclBindingFilter> filters = bindings(request).stream().map(AclBinding::toFilter).toList();
    if (!Args.has(request, "acls")) filters = List.of(AclBindingFilter.ANY);
    return Map.of("deleted", of(request).deleteAcls(filters).all().get().size());
  }

  private static Object describeAcls(JsonNode request) throws Exception {
    List<Object> found = new ArrayList<>();
    for (AclBinding acl : of(request).describeAcls(new AclBindingFilter(ResourcePatternFilter.ANY, AccessControlEntryFilter.ANY)).values().get())
      found.add(Map.of("type", acl.pattern().resourceType().name(), "name", acl.pattern().name(),
          "pattern", acl.pattern().patternType().name(), "principal", acl.entry().principal(), "host", acl.entry().host(),
          "operation", acl.entry().operation().name(), "permission", acl.entry().permissionType().name()));
    return found;
  }
}
