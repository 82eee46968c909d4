import java.nio.file.*;
import java.util.*;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/** JSON into Connect data and back with Connect's converter: "name MB/s", a line each. The messages are those of
    src/converters/benches/json.rs. */
public class Json {
    static final int RECORDS = 1000;
    static Object sink;

    public static void main(String[] args) throws Exception {
        for (String name : new String[] {"flat-100", "flat-100-envelope", "nested-1k", "nested-1k-envelope"}) {
            String file = name.replace("-100", "").replace("-1k", "");
            byte[] message = Files.readString(Path.of(args[0], file + ".json")).stripTrailing().getBytes("UTF-8");
            JsonConverter converter = new JsonConverter();
            converter.configure(Map.of("schemas.enable", "" + name.endsWith("envelope")), false);
            long parse = Long.MAX_VALUE, print = Long.MAX_VALUE;
            for (int round = 0; round < 600; round++) {
                long start = System.nanoTime();
                SchemaAndValue data = null;
                for (int i = 0; i < RECORDS; i++) sink = data = converter.toConnectData("t", message);
                parse = Math.min(parse, System.nanoTime() - start);
                start = System.nanoTime();
                for (int i = 0; i < RECORDS; i++) sink = converter.fromConnectData("t", data.schema(), data.value());
                print = Math.min(print, System.nanoTime() - start);
            }
            double bytes = (double) message.length * RECORDS * 1000;
            System.out.printf(Locale.ROOT, "parse-%s %.0f%nprint-%s %.0f%n", name, bytes / parse, name, bytes / print);
        }
    }
}
