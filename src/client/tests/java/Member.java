import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * A member of a consumer group, steered by lines on its standard input. Arguments: topics, separated by commas, then
 * settings as key=value. It says line by line what happens to it, after the time in microseconds: "assigned",
 * "revoked" and "lost" with topic:partition, "record topic partition offset value", "committed" (after every poll with
 * records), "closed". Commands: "close", and the end of the input.
 */
public class Member {
    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        for (String pair : Arrays.asList(args).subList(1, args.length)) {
            int at = pair.indexOf('=');
            settings.put(pair.substring(0, at), pair.substring(at + 1));
        }
        String deserializer = "org.apache.kafka.common.serialization.StringDeserializer";
        settings.put("key.deserializer", deserializer);
        settings.put("value.deserializer", deserializer);
        settings.put("enable.auto.commit", "false");
        ConcurrentLinkedQueue<String> commands = new ConcurrentLinkedQueue<>();
        Thread reader = new Thread(() -> read(commands));
        reader.setDaemon(true);
        reader.start();
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of(args[0].split(",")), new Listener());
            while (commands.isEmpty()) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(50));
                for (ConsumerRecord<String, String> record : records) {
                    say("record " + record.topic() + " " + record.partition() + " " + record.offset() + " "
                        + record.value());
                }
                if (!records.isEmpty()) {
                    consumer.commitSync();
                    say("committed");
                }
            }
        }
        say("closed");
    }

    private static void read(ConcurrentLinkedQueue<String> commands) {
        try (BufferedReader input = new BufferedReader(new InputStreamReader(System.in))) {
            String line = input.readLine();
            // The end of the input: whoever steers is gone.
            commands.add(line == null ? "close" : line);
        } catch (Exception error) {
            commands.add("close");
        }
    }

    private static synchronized void say(String line) {
        Instant now = Instant.now();
        System.out.println(now.getEpochSecond() * 1_000_000 + now.getNano() / 1000 + " " + line);
        System.out.flush();
    }

    private static class Listener implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("assigned", partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked", partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("lost", partitions);
        }

        private void tell(String what, Collection<TopicPartition> partitions) {
            say(what + partitions.stream().map(p -> " " + p.topic() + ":" + p.partition())
                .sorted().collect(Collectors.joining()));
        }
    }
}
