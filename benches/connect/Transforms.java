import java.util.*;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;

/** Nanoseconds a record of every transform of Connect: "name ns", a line each. The cases and records are those of
    src/transforms/benches/transforms.rs, which hands the cases over as arguments: name, class, keys. */
public class Transforms {
    static final int RECORDS = 1000;
    static Object sink;

    public static void main(String[] args) throws Exception {
        for (int at = 0; at + 2 < args.length; at += 3) {
            String name = args[at], keys = args[at + 2];
            Map<String, String> config = new HashMap<>();
            for (String pair : keys.split("\\|")) {
                if (pair.contains("=")) config.put(pair.split("=")[0], pair.split("=")[1]);
            }
            @SuppressWarnings("unchecked")
            Transformation<SourceRecord> transform = (Transformation<SourceRecord>)
                Class.forName("org.apache.kafka.connect.transforms." + args[at + 1]).getDeclaredConstructor().newInstance();
            transform.configure(config);
            SourceRecord[] records = new SourceRecord[RECORDS];
            for (int i = 0; i < RECORDS; i++) records[i] = record(name.endsWith("map"));
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 3000; round++) {
                long start = System.nanoTime();
                for (SourceRecord record : records) sink = transform.apply(record);
                least = Math.min(least, System.nanoTime() - start);
            }
            System.out.printf(Locale.ROOT, "%s %.1f%n", name, (double) least / RECORDS);
        }
    }

    static final Schema INNER = SchemaBuilder.struct().field("x", Schema.INT32_SCHEMA).field("y", Schema.STRING_SCHEMA).build();
    static final Schema SCHEMA = SchemaBuilder.struct().name("Order")
        .field("id", Schema.INT64_SCHEMA).field("name", Schema.STRING_SCHEMA).field("price", Schema.FLOAT64_SCHEMA)
        .field("n", SchemaBuilder.int32().optional().defaultValue(42).build()).field("flag", Schema.BOOLEAN_SCHEMA)
        .field("nested", INNER).field("note", Schema.OPTIONAL_STRING_SCHEMA).field("count", Schema.INT32_SCHEMA).build();

    static SourceRecord record(boolean schemaless) {
        ConnectHeaders headers = new ConnectHeaders();
        headers.add("a", "1", null).add("b", "2", null);
        Object value;
        if (schemaless) {
            Map<String, Object> nested = new HashMap<>(Map.of("x", 1, "y", "y"));
            Map<String, Object> map = new HashMap<>(Map.of("id", 1234567L, "name", "a name of some length", "price", 19.5,
                "n", 7, "flag", true, "nested", nested, "count", 3));
            map.put("note", null);
            value = map;
        } else {
            value = new Struct(SCHEMA).put("id", 1234567L).put("name", "a name of some length").put("price", 19.5).put("n", 7)
                .put("flag", true).put("nested", new Struct(INNER).put("x", 1).put("y", "y")).put("count", 3);
        }
        return new SourceRecord(null, null, "topic", null, null, null, schemaless ? null : SCHEMA, value, 1700000000000L, headers);
    }
}
