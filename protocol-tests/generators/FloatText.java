import java.util.Random;

/** Prints bits and text of random doubles (d) and floats (f), as the running Java writes them. Java 17 made the
 *  cases of src/api/src/java_text/java17_cases.txt: {@code java FloatText.java 1500}. */
public class FloatText {
    public static void main(String[] args) {
        Random random = new Random(42);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < Integer.parseInt(args[0]); i++) {
            double d = switch (i % 6) {
                case 0 -> Double.longBitsToDouble(random.nextLong());
                case 1 -> random.nextInt(1000000) / (double) (1 + random.nextInt(1000));
                case 2 -> random.nextLong();
                case 3 -> Math.pow(2, random.nextInt(2098) - 1074);
                case 4 -> random.nextInt(100000) * Math.pow(10, random.nextInt(40) - 20);
                default -> Double.longBitsToDouble(random.nextLong() & 0xFFFFFFFFFFFFFL);
            };
            float f = switch (i % 6) {
                case 0 -> Float.intBitsToFloat(random.nextInt());
                case 1 -> random.nextInt(1000000) / (float) (1 + random.nextInt(1000));
                case 2 -> random.nextLong();
                case 3 -> (float) Math.pow(2, random.nextInt(277) - 149);
                case 4 -> (float) (random.nextInt(100000) * Math.pow(10, random.nextInt(40) - 20));
                default -> Float.intBitsToFloat(random.nextInt() & 0x7FFFFF);
            };
            out.append('d').append(Long.toHexString(Double.doubleToRawLongBits(d))).append(' ').append(d).append('\n');
            out.append('f').append(Integer.toHexString(Float.floatToRawIntBits(f))).append(' ').append(f).append('\n');
        }
        System.out.print(out);
    }
}
