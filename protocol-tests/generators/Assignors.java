import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
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
 */
public class Assignors {
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
            line.append(' ').append(id).append(':').append(instance == null ? "" : instance).append(':')
                .append(rack == null ? "" : rack).append(':').append(String.join(",", wants)).append(':')
                .append(words(owned)).append(':').append(generation);
        }
        line.append(" |");
        topics.keySet().retainAll(subscribed);
        Map<String, List<TopicPartition>> assignment = new TreeMap<>(assignor(kind).assignPartitions(topics, members));
        assignment.forEach((id, partitions) -> line.append(' ').append(id).append('>').append(words(partitions)));
        return line.toString();
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
