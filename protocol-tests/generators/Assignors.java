import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.clients.consumer.internals.AbstractPartitionAssignor;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/**
 * Prints what Kafka's assignors do with random groups; run it with Kafka's jars on the class path. Arguments: the
 * number of cases and a seed. A case is one line of words: the assignor; topics as name=racks of partition 0/racks of
 * partition 1/..., each rack a letter; members as id:instance:rack:topics:owned:generation; then the assignment as
 * id>partitions. Partitions are written topic-number and separated by commas; an empty field is nothing.
 *
 * The sticky strategies have three parts more: the assignment that the group ends with when all that is settled is
 * Kafka's own doing (equal to the first for the eager strategy), after how many rounds, and the fewest and the most
 * partitions that members give up until then, over ORDERS ways to name the members: names decide the order in which
 * Kafka looks at them.
 */
public class Assignors {
    private static final int ORDERS = 20;
    private static final int ROUNDS = 20;

    public static void main(String[] args) {
        Random random = new Random(Long.parseLong(args[1]));
        String[] kinds = {"range", "roundrobin", "sticky", "cooperative-sticky"};
        for (int at = 0; at < Integer.parseInt(args[0]); at++) {
            System.out.println(line(kinds[at % kinds.length], random));
        }
    }

    private static String line(String kind, Random random) {
        StringBuilder line = new StringBuilder(kind);
        boolean racks = kind.equals("range") && random.nextBoolean();
        boolean equal = random.nextBoolean();
        Map<String, List<PartitionInfo>> topics = new TreeMap<>();
        int count = 1 + random.nextInt(5);
        int same = random.nextInt(8);
        for (int topic = 0; topic < count; topic++) {
            String name = "t" + topic;
            int partitions = random.nextBoolean() ? same : random.nextInt(9);
            List<PartitionInfo> infos = new ArrayList<>();
            List<String> words = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) {
                StringBuilder letters = new StringBuilder();
                List<Node> replicas = new ArrayList<>();
                for (int rack = 0; racks && rack < 3; rack++) {
                    if (random.nextInt(2) == 0) {
                        String letter = String.valueOf((char) ('x' + rack));
                        letters.append(letter);
                        replicas.add(new Node(rack, "h", 1, letter));
                    }
                }
                Node[] nodes = replicas.toArray(new Node[0]);
                infos.add(new PartitionInfo(name, partition, null, nodes, nodes));
                words.add(letters.toString());
            }
            line.append(' ').append(name).append('=').append(partitions).append('=').append(String.join("/", words));
            if (!infos.isEmpty()) {
                topics.put(name, infos);
            }
        }
        line.append(" |");
        int size = 1 + random.nextInt(7);
        Map<Integer, Integer> owners = new HashMap<>();
        Map<String, Subscription> members = new HashMap<>();
        Map<Subscription, List<TopicPartition>> had = new IdentityHashMap<>();
        Set<String> subscribed = new TreeSet<>();
        for (int member = 0; member < size; member++) {
            String id = "m" + (member * 37 + random.nextInt(37));
            Set<String> wants = new TreeSet<>();
            for (int topic = 0; topic < count; topic++) {
                if (equal || random.nextInt(3) > 0) {
                    wants.add("t" + topic);
                }
            }
            if (wants.isEmpty()) {
                // The sticky assignors give topics to a member without any, if it comes first.
                wants.add("t0");
            }
            subscribed.addAll(wants);
            List<TopicPartition> owned = new ArrayList<>();
            int greed = random.nextInt(4);
            for (int topic = 0; topic < count; topic++) {
                int partitions = topics.getOrDefault("t" + topic, List.of()).size();
                for (int partition = 0; partition < partitions; partition++) {
                    int key = topic * 100 + partition;
                    if (greed > 0 && random.nextInt(size) < greed && !owners.containsKey(key)) {
                        owners.put(key, member);
                        owned.add(new TopicPartition("t" + topic, partition));
                    }
                }
            }
            String instance = random.nextInt(4) == 0 ? "i" + random.nextInt(1000) : null;
            String rack = racks && random.nextInt(4) > 0 ? String.valueOf((char) ('x' + random.nextInt(3))) : null;
            int generation = 5;
            Subscription subscription = subscription(kind, wants, owned, generation, rack);
            subscription.setGroupInstanceId(Optional.ofNullable(instance));
            members.put(id, subscription);
            had.put(subscription, owned);
            line.append(' ').append(id).append(':').append(instance == null ? "" : instance).append(':')
                .append(rack == null ? "" : rack).append(':').append(String.join(",", wants)).append(':')
                .append(words(owned)).append(':').append(generation);
        }
        line.append(" |");
        topics.keySet().retainAll(subscribed);
        append(line, assignor(kind).assignPartitions(topics, members));
        if (kind.endsWith("sticky")) {
            line.append(" |");
            Settled settled = settle(kind, topics, members);
            append(line, settled.assignment);
            line.append(" | ").append(settled.rounds);
            line.append(" | ").append(givenUpInAnyOrder(kind, topics, members, had));
        }
        return line.toString();
    }

    private static void append(StringBuilder line, Map<String, List<TopicPartition>> assignment) {
        Map<String, List<TopicPartition>> sorted = new TreeMap<>(assignment);
        sorted.forEach((id, partitions) -> line.append(' ').append(id).append('>').append(words(partitions)));
    }

    private record Settled(Map<String, List<TopicPartition>> assignment, int rounds) { }

    /** Rounds until nothing changes any more: each member goes into the next one with what it was given. */
    private static Settled settle(String kind, Map<String, List<PartitionInfo>> topics,
                                  Map<String, Subscription> members) {
        // Whoever reads user data moves on within it.
        members.values().stream().filter(m -> m.userData() != null).forEach(m -> m.userData().rewind());
        Map<String, List<TopicPartition>> before = sorted(assignor(kind).assignPartitions(copy(topics), members));
        if (kind.equals("sticky")) {
            return new Settled(before, 1);
        }
        for (int round = 1; round < ROUNDS; round++) {
            Map<String, Subscription> next = new HashMap<>();
            for (Map.Entry<String, Subscription> member : members.entrySet()) {
                Subscription old = member.getValue();
                List<TopicPartition> owned = before.get(member.getKey());
                Subscription now = new Subscription(old.topics(), null, owned, 5 + round, old.rackId());
                now.setGroupInstanceId(old.groupInstanceId());
                next.put(member.getKey(), now);
            }
            // A new one: the leader of the next round may be another.
            Map<String, List<TopicPartition>> after = sorted(assignor(kind).assignPartitions(copy(topics), next));
            if (after.equals(before)) {
                return new Settled(before, round);
            }
            before = after;
        }
        throw new IllegalStateException("not settled after " + ROUNDS + " rounds");
    }

    private static String givenUpInAnyOrder(String kind, Map<String, List<PartitionInfo>> topics,
                                            Map<String, Subscription> members,
                                            Map<Subscription, List<TopicPartition>> had) {
        Random order = new Random(1);
        int fewest = Integer.MAX_VALUE;
        int most = 0;
        for (int at = 0; at < ORDERS; at++) {
            List<String> names = new ArrayList<>();
            for (int name = 0; name < members.size(); name++) {
                names.add("m" + order.nextInt(1000) + "-" + name);
            }
            Collections.shuffle(names, order);
            Map<String, Subscription> renamed = new HashMap<>();
            for (Subscription subscription : new TreeMap<>(members).values()) {
                renamed.put(names.remove(0), subscription);
            }
            Map<String, List<TopicPartition>> settled = settle(kind, topics, renamed).assignment;
            int givenUp = 0;
            for (Map.Entry<String, Subscription> member : renamed.entrySet()) {
                for (TopicPartition partition : had.get(member.getValue())) {
                    boolean wanted = member.getValue().topics().contains(partition.topic());
                    if (wanted && !settled.get(member.getKey()).contains(partition)) {
                        givenUp++;
                    }
                }
            }
            fewest = Math.min(fewest, givenUp);
            most = Math.max(most, givenUp);
        }
        return fewest + "-" + most;
    }

    /** Assignors may change the map that they are given. */
    private static Map<String, List<PartitionInfo>> copy(Map<String, List<PartitionInfo>> topics) {
        return new TreeMap<>(topics);
    }

    private static Map<String, List<TopicPartition>> sorted(Map<String, List<TopicPartition>> assignment) {
        Map<String, List<TopicPartition>> sorted = new TreeMap<>();
        Comparator<TopicPartition> order = Comparator.comparing(TopicPartition::topic)
            .thenComparing(TopicPartition::partition);
        assignment.forEach((id, partitions) -> sorted.put(id, partitions.stream().sorted(order).toList()));
        return sorted;
    }

    private static Subscription subscription(String kind, Set<String> wants, List<TopicPartition> owned, int generation,
                                             String rack) {
        List<String> topics = new ArrayList<>(wants);
        Optional<String> rackId = Optional.ofNullable(rack);
        if (kind.equals("sticky")) {
            StickyAssignor before = new StickyAssignor();
            before.onAssignment(new Assignment(owned), new ConsumerGroupMetadata("g", generation, "m", Optional.empty()));
            ByteBuffer data = before.subscriptionUserData(wants);
            return new Subscription(topics, data, List.of(), generation, rackId);
        }
        boolean cooperative = kind.equals("cooperative-sticky");
        return new Subscription(topics, null, cooperative ? owned : List.of(), generation, rackId);
    }

    private static AbstractPartitionAssignor assignor(String kind) {
        switch (kind) {
            case "range": return new RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            default: return new CooperativeStickyAssignor();
        }
    }

    private static String words(List<TopicPartition> partitions) {
        TreeSet<String> words = new TreeSet<>();
        partitions.forEach(p -> words.add(p.toString()));
        return String.join(",", words);
    }
}
