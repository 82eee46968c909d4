import java.io.*;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.*;
import org.apache.kafka.connect.header.*;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.node.*;

/**
 * Records what Debezium's transforms do: writes debezium_transforms.jsonl to standard output.
 * Compile and run against debezium-core 3.2.0.Final and the jars of Kafka 4.3.1. The seed is fixed.
 */
public class DebeziumTransforms {
    static final ObjectMapper JSON = new ObjectMapper();
    static final Random RANDOM = new Random(7);
    static int count = 0;

    static final Schema ROW = SchemaBuilder.struct().optional().name("srv.db.t.Value")
        .field("id", Schema.INT32_SCHEMA)
        .field("name", Schema.OPTIONAL_STRING_SCHEMA)
        .field("city", SchemaBuilder.string().optional().defaultValue("Berlin").build())
        .field("n", SchemaBuilder.int64().defaultValue(5L).build())
        .build();
    static final Schema SOURCE = SchemaBuilder.struct().name("io.debezium.connector.postgresql.Source")
        .field("version", Schema.STRING_SCHEMA)
        .field("db", Schema.STRING_SCHEMA)
        .field("table", Schema.STRING_SCHEMA)
        .field("ts_ms", Schema.INT64_SCHEMA)
        .field("lsn", Schema.OPTIONAL_INT64_SCHEMA)
        .field("snapshot", SchemaBuilder.string().optional().defaultValue("false").parameter("allowed", "true,false").build())
        .build();
    static final Schema TRANSACTION = SchemaBuilder.struct().optional().name("event.block").version(1)
        .field("id", Schema.STRING_SCHEMA)
        .field("total_order", Schema.INT64_SCHEMA)
        .field("data_collection_order", Schema.INT64_SCHEMA)
        .build();
    static final Schema ENVELOPE = SchemaBuilder.struct().name("srv.db.t.Envelope").version(2)
        .field("before", ROW).field("after", ROW).field("source", SOURCE).field("transaction", TRANSACTION)
        .field("op", Schema.STRING_SCHEMA)
        .field("ts_ms", Schema.OPTIONAL_INT64_SCHEMA)
        .field("ts_us", Schema.OPTIONAL_INT64_SCHEMA)
        .build();
    static final Schema KEY = SchemaBuilder.struct().name("srv.db.t.Key")
        .field("id", Schema.INT32_SCHEMA).field("k2", Schema.OPTIONAL_STRING_SCHEMA).build();

    static Struct row(boolean sparse) {
        Struct row = new Struct(ROW).put("id", RANDOM.nextInt(100)).put("n", (long) RANDOM.nextInt(50));
        if (!sparse) row.put("name", "Ann").put("city", "Rome");
        if (RANDOM.nextInt(3) == 0) row.put("name", "other_topic");
        return row;
    }

    static Struct envelope(String op) {
        Struct source = new Struct(SOURCE).put("version", "3.2").put("db", "db").put("table", "t").put("ts_ms", 17L);
        if (RANDOM.nextBoolean()) source.put("lsn", 99L).put("snapshot", "last");
        Struct value = new Struct(ENVELOPE).put("source", source).put("op", op).put("ts_ms", 1700000000123L);
        if (RANDOM.nextBoolean()) value.put("ts_us", 1700000000123456L);
        if (RANDOM.nextInt(3) == 0) value.put("transaction", new Struct(TRANSACTION).put("id", "571").put("total_order", 1L).put("data_collection_order", 2L));
        boolean sparse = RANDOM.nextBoolean();
        if (op.equals("c") || op.equals("r")) value.put("after", row(sparse));
        if (op.equals("u")) { if (RANDOM.nextBoolean()) value.put("before", row(sparse)); value.put("after", row(sparse)); }
        if (op.equals("d")) { if (RANDOM.nextInt(4) > 0) value.put("before", row(sparse)); }
        return value;
    }

    static SourceRecord record(String kind) {
        Schema keySchema = null; Object key = null;
        switch (RANDOM.nextInt(5)) {
            case 0: break;
            case 1: keySchema = Schema.STRING_SCHEMA; key = "k"; break;
            default: keySchema = KEY; Struct k = new Struct(KEY).put("id", 1); if (RANDOM.nextBoolean()) k.put("k2", "two"); key = k;
        }
        Schema schema; Object value;
        switch (kind) {
            case "tombstone": schema = null; value = null; break;
            case "heartbeat": schema = SchemaBuilder.struct().name("io.debezium.connector.common.Heartbeat").field("ts_ms", Schema.INT64_SCHEMA).build();
                value = new Struct(schema).put("ts_ms", 5L); break;
            case "schemaless": schema = null; value = new HashMap<>(Map.of("op", "c")); break;
            case "string": schema = Schema.STRING_SCHEMA; value = "plain"; break;
            default: schema = ENVELOPE; value = envelope(kind);
        }
        SourceRecord record = new SourceRecord(Map.of("p", "1"), Map.of("o", "2"), RANDOM.nextInt(6) == 0 ? "srv.other.x" : "srv.shard" + RANDOM.nextInt(3) + ".t",
            RANDOM.nextBoolean() ? 3 : null, keySchema, key, schema, value, RANDOM.nextBoolean() ? 1234L : null);
        if (RANDOM.nextInt(3) == 0) record.headers().addString("h", "old");
        if (RANDOM.nextInt(2) == 0) record.headers().add("drops", new SchemaAndValue(SchemaBuilder.array(Schema.STRING_SCHEMA).build(),
            RANDOM.nextInt(5) == 0 ? List.of() : List.of("name", "k2", "id")));
        return record;
    }

    public static void main(String[] args) throws Exception {
        PrintStream out = new PrintStream(new FileOutputStream(args[0]), false, "US-ASCII");
        String[] kinds = {"c", "u", "d", "r", "t", "m", "tombstone", "heartbeat", "schemaless", "string", "u", "d", "c"};
        String[][] extract = {
            {}, {"delete.tombstone.handling.mode", "drop"}, {"delete.tombstone.handling.mode", "rewrite"},
            {"delete.tombstone.handling.mode", "rewrite-with-tombstone"}, {"delete.tombstone.handling.mode", "delete-to-tombstone"},
            {"delete.tombstone.handling.mode", "tombstone"}, {"delete.tombstone.handling.mode", "bogus"}, {"delete.tombstone.handling.mode", ""},
            {"delete.tombstone.handling.mode", "TOMBSTONE"},
            {"drop.tombstones", "true"}, {"delete.handling.mode", "rewrite"}, {"delete.handling.mode", "rewrite", "drop.tombstones", "false"},
            {"add.fields", "op,table,lsn"}, {"add.fields", "op:OP, source.ts_ms:ts,ts_ms,transaction.id,total_order", "add.fields.prefix", ""},
            {"add.fields", "nosuch,op", "add.fields.prefix", "x."}, {"add.headers", "op,table,nosuch,source.lsn,transaction.id"},
            {"add.headers", "op:o,snapshot,ts_us", "add.headers.prefix", "pre_"}, {"add.headers", "a:b:c"}, {"add.fields", "nosuch.x"},
            {"add.fields", "op", "delete.tombstone.handling.mode", "rewrite"}, {"add.fields", "op:id", "add.fields.prefix", ""},
            {"add.headers", "op", "delete.tombstone.handling.mode", "rewrite-with-tombstone"},
            {"add.fields", "after.id,before.name"}, {"add.headers", "source"}, {"add.fields", "source:src,transaction"},
            {"route.by.field", "name"}, {"route.by.field", "id"}, {"route.by.field", "nosuch"}, {"route.by.field", "city"},
            {"route.by.field", "name", "delete.tombstone.handling.mode", "rewrite", "add.fields", "op"},
            {"drop.fields.header.name", "drops"}, {"drop.fields.header.name", "drops", "drop.fields.from.key", "true"},
            {"drop.fields.header.name", "drops", "drop.fields.keep.schema.compatible", "false"},
            {"drop.fields.header.name", "drops", "drop.fields.from.key", "true", "drop.fields.keep.schema.compatible", "false", "delete.tombstone.handling.mode", "rewrite", "add.fields", "op"},
            {"drop.fields.header.name", "nosuch"}, {"drop.fields.header.name", "h"},
            {"replace.null.with.default", "false"}, {"replace.null.with.default", "false", "delete.tombstone.handling.mode", "rewrite", "add.fields", "snapshot,op", "add.headers", "snapshot"},
            {"replace.null.with.default", "true", "add.fields", "snapshot", "add.headers", "snapshot"},
        };
        for (String[] config : extract)
            for (String kind : kinds) run("ExtractNewRecordState", "io.debezium.transforms.ExtractNewRecordState", config, record(kind), out);
        String[][] route = {
            {"topic.regex", "(.*)shard\\d(.*)", "topic.replacement", "$1all$2"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "logical", "key.enforce.uniqueness", "false"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "t-1", "key.field.name", "id"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "1a b.c", "key.field.name", "who"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "1a b.c", "key.field.name", "who", "schema.name.adjustment.mode", "avro"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "1a b.c\u00e9", "schema.name.adjustment.mode", "avro_unicode"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "schema.name.adjustment.mode", "none"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "schema.name.adjustment.mode", "bogus"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "key.field.regex", "srv\\.(.*)", "key.field.replacement", "$1"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "key.field.regex", "nomatch", "key.field.replacement", "$1"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "key.field.regex", "srv.*"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "x", "key.field.regex", "(", "key.field.replacement", "x"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", "$7"},
            {"topic.regex", "srv\\.(\\w+)\\.t", "topic.replacement", ""},
            {"topic.regex", "(", "topic.replacement", "x"}, {"topic.regex", "x"}, {"topic.replacement", "x"},
            {"topic.regex", ".*", "topic.replacement", "all", "logical.table.cache.size", "2"},
            {"topic.regex", ".*", "topic.replacement", "all", "logical.table.cache.size", "0"},
            {"topic.regex", ".*", "topic.replacement", "all", "key.enforce.uniqueness", "bogus"},
        };
        for (String[] config : route)
            for (String kind : kinds) run("ByLogicalTableRouter", "io.debezium.transforms.ByLogicalTableRouter", config, record(kind), out);
        out.close();
    }

    @SuppressWarnings("unchecked")
    static void run(String op, String cls, String[] pairs, SourceRecord record, PrintStream out) throws Exception {
        ObjectNode node = JSON.createObjectNode();
        node.put("id", String.format("debezium_transforms/%s/%04d", op, ++count)).put("op", op).put("class", cls);
        Map<String, String> config = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) config.put(pairs[i], pairs[i + 1]);
        ObjectNode c = node.putObject("config");
        config.forEach(c::put);
        node.set("input", encode(record));
        Transformation<SourceRecord> transform = (Transformation<SourceRecord>) Class.forName(cls).getDeclaredConstructor().newInstance();
        String phase = "configure";
        try {
            transform.configure(config);
            phase = "apply";
            SourceRecord result = transform.apply(record);
            if (result == null) { node.put("dropped", true); node.putNull("output"); } else node.set("output", encode(result));
        } catch (Exception e) {
            node.put("phase", phase);
            ObjectNode error = node.putObject("error");
            error.put("class", e.getClass().getName()).put("message", e.getMessage());
        }
        StringBuilder ascii = new StringBuilder();
        for (char ch : JSON.writeValueAsString(node).toCharArray()) ascii.append(ch < 128 ? "" + ch : String.format("\\u%04X", (int) ch));
        out.println(ascii);
    }

    static ObjectNode encode(ConnectRecord<?> r) {
        ObjectNode node = JSON.createObjectNode();
        node.put("kind", "source").put("topic", r.topic());
        if (r.kafkaPartition() != null) node.put("partition", r.kafkaPartition());
        if (r.keySchema() != null) node.set("key_schema", schema(r.keySchema()));
        if (r.key() != null) node.set("key", value(r.keySchema(), r.key()));
        if (r.valueSchema() != null) node.set("value_schema", schema(r.valueSchema()));
        if (r.value() != null) node.set("value", value(r.valueSchema(), r.value()));
        if (r.timestamp() != null) node.put("timestamp", r.timestamp().toString());
        if (!r.headers().isEmpty()) {
            ArrayNode headers = node.putArray("headers");
            for (Header h : r.headers()) {
                ObjectNode header = headers.addObject();
                header.put("key", h.key());
                header.set("schema", h.schema() == null ? NullNode.instance : schema(h.schema()));
                header.set("value", value(h.schema(), h.value()));
            }
        }
        return node;
    }

    static JsonNode schema(Schema s) {
        if (s == null) return NullNode.instance;
        ObjectNode node = JSON.createObjectNode();
        node.put("type", s.type().getName());
        if (s.isOptional()) node.put("optional", true);
        if (s.name() != null) node.put("name", s.name());
        if (s.version() != null) node.put("version", s.version());
        if (s.doc() != null) node.put("doc", s.doc());
        if (s.defaultValue() != null) node.set("default", value(s, s.defaultValue()));
        if (s.parameters() != null && !s.parameters().isEmpty()) { ObjectNode p = node.putObject("parameters"); s.parameters().forEach(p::put); }
        if (s.type() == Schema.Type.ARRAY) node.set("items", schema(s.valueSchema()));
        if (s.type() == Schema.Type.STRUCT) {
            ArrayNode fields = node.putArray("fields");
            for (Field f : s.fields()) { ObjectNode field = fields.addObject(); field.put("name", f.name()); field.set("schema", schema(f.schema())); }
        }
        return node;
    }

    static JsonNode value(Schema s, Object v) {
        ObjectNode node = JSON.createObjectNode();
        if (v == null) return NullNode.instance;
        if (v instanceof Integer) return node.put("i32", (Integer) v);
        if (v instanceof Long) return node.put("i64", v.toString());
        if (v instanceof String) return node.put("str", (String) v);
        if (v instanceof Boolean) return node.put("bool", (Boolean) v);
        if (v instanceof List) { ArrayNode list = node.putArray("list"); for (Object o : (List<?>) v) list.add(value(s == null ? null : s.valueSchema(), o)); return node; }
        if (v instanceof Map) {
            ArrayNode map = node.putArray("map");
            ((Map<?, ?>) v).forEach((k, x) -> { ArrayNode entry = map.addArray(); entry.add(value(null, k)); entry.add(value(null, x)); });
            return node;
        }
        if (v instanceof Struct) {
            Struct struct = (Struct) v;
            ObjectNode fields = node.putObject("struct");
            for (Field f : struct.schema().fields()) fields.set(f.name(), value(f.schema(), struct.getWithoutDefault(f.name())));
            if (!struct.schema().equals(s)) node.set("schema", schema(struct.schema()));
            return node;
        }
        throw new IllegalStateException(v.getClass().getName());
    }
}
