import java.io.*;
import java.text.*;
import java.util.*;
import java.util.regex.*;

/**
 * Records what java.util.regex and java.text.SimpleDateFormat of Java 17 do with random patterns and texts: writes
 * the cases of patterns to the first file that is named (protocol-tests/golden/java_regex.jsonl), those of dates to
 * the second (src/api/src/java_date/recorded.jsonl). Run with -Duser.timezone=UTC -Duser.language=en -Duser.country=US;
 * the seed is fixed.
 */
public class JavaFormats {
    static final Random RANDOM = new Random(11);
    static int count = 0;

    static String pick(String... of) { return of[RANDOM.nextInt(of.length)]; }

    static String atom(int depth) {
        switch (RANDOM.nextInt(depth > 2 ? 6 : 11)) {
            case 0: case 1: return pick("a", "b", "c", "x", "-", "_", "1", ".");
            case 2: return pick("\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\h", "\\R", "\\b", "\\B", "^", "$", "\\.", "\\-", "\\t", "\\x61", "\\u0062", "\\0141");
            case 3: return set(depth);
            case 4: return pick("\\p{Lower}", "\\p{Alpha}", "\\p{L}", "\\P{Lu}", "\\p{IsDigit}", "\\p{Punct}", "\\pN", "\\p{javaLetter}");
            case 5: return pick("\\1", "\\2", "\\Qa.b\\E", "\\Q-", "\\E", "\\G", "\\Z", "\\z", "\\A", "\\y", "\\k<n>", "]", "}", "{");
            case 6: return "(" + alternatives(depth + 1) + ")";
            case 7: return pick("(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!", "(?i:", "(?i-s:", "(?x:") + alternatives(depth + 1) + ")";
            case 8: return "(?<n" + pick("", "1", "2") + ">" + alternatives(depth + 1) + ")";
            case 9: return pick("(?i)", "(?s)", "(?m)", "(?x)", "(?-i)", "(?d)", "(?u)", "(?U)");
            default: return pick("ab", "abc", "b1", "x-");
        }
    }

    static String set(int depth) {
        StringBuilder out = new StringBuilder(RANDOM.nextInt(4) == 0 ? "[^" : "[");
        int items = 1 + RANDOM.nextInt(3);
        for (int i = 0; i < items; i++) {
            if (depth < 3 && RANDOM.nextInt(5) == 0) out.append(set(depth + 1));
            else out.append(pick("a", "b-x", "a-c", "\\d", "\\w", "-", "^", "&", "&&", "&&b", "\\-", "]", "\\]", " ", "#", "1-3", "\\p{Upper}", "\\x61", "_."));
        }
        return out.append("]").toString();
    }

    static String sequence(int depth) {
        StringBuilder out = new StringBuilder();
        int items = RANDOM.nextInt(4);
        for (int i = 0; i < items; i++) {
            out.append(atom(depth));
            if (RANDOM.nextInt(3) == 0) out.append(pick("*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "??", "*+", "++", "?+", "{1,2}+", "{,2}"));
        }
        return out.toString();
    }

    static String alternatives(int depth) {
        return RANDOM.nextInt(4) == 0 ? sequence(depth) + "|" + sequence(depth) : sequence(depth);
    }

    static final String[] TEXTS = {"", "a", "ab", "abc", "aab", "a.b", "ab-1", "x_1", "ABC", "a b", "aa", "bb", "1", "11", "-", "ab\n", "a\nb", "\u00e9\u00e0", "\uD83D\uDE00a", "b1x-"};
    static final String[] REPLACEMENTS = {"<$0>", "$1", "$1-$2", "${n}", "\\$1", "$12", "x", "", "$", "a\\", "${1}", "${n"};

    static String json(String s) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c == '"' || c == '\\') out.append('\\').append(c);
            else if (c < 32 || c > 126) out.append(String.format("\\u%04X", (int) c));
            else out.append(c);
        }
        return out.append('"').toString();
    }

    static String head(String op, String cls) {
        return String.format("{\"id\":\"java_regex/%s/%04d\",\"op\":\"%s\",\"class\":\"%s\"", op, ++count, op, cls);
    }

    static void regex(PrintStream out) {
        String pattern = alternatives(0), text = pick(TEXTS), replacement = pick(REPLACEMENTS);
        String line = head("regex", "java.util.regex.Pattern") + ",\"input\":{\"pattern\":" + json(pattern) + ",\"text\":" + json(text) + ",\"replacement\":" + json(replacement) + "}";
        try {
            Pattern compiled = Pattern.compile(pattern);
            boolean matches = compiled.matcher(text).matches();
            String replaced;
            try { replaced = ",\"replaced\":" + json(compiled.matcher(text).replaceFirst(replacement)); }
            catch (IllegalArgumentException | IndexOutOfBoundsException e) { replaced = ",\"fails\":" + json(e.getMessage()); }
            line += ",\"output\":{\"matches\":" + matches + replaced + "}}";
        } catch (PatternSyntaxException e) {
            line += ",\"output\":{\"index\":" + e.getIndex() + ",\"description\":" + json(e.getDescription()) + "}}";
        } catch (RuntimeException e) {
            line += ",\"output\":{\"index\":-2}}";
        }
        out.println(line);
    }

    static String datePattern() {
        StringBuilder out = new StringBuilder();
        int items = 1 + RANDOM.nextInt(5);
        for (int i = 0; i < items; i++) {
            out.append(pick("yyyy", "yy", "y", "YYYY", "MM", "M", "MMM", "MMMM", "L", "dd", "d", "HH", "H", "hh", "h", "K", "kk", "mm", "ss", "SSS", "S", "EEE", "EEEE", "D", "F", "w", "ww", "W", "u", "a", "G", "z", "zzzz", "Z", "X", "XX", "XXX", "XXXX", "Q", "'T'", "''"));
            out.append(pick("", "-", ":", " ", "/", "."));
        }
        return out.toString();
    }

    static void date(PrintStream out) {
        String pattern = datePattern();
        long[] times = {0L, -1L, 1582934400123L, 1735603199999L, 253402300799999L, -12219292800000L, -12219292800001L, -62135769600000L, -62198755200000L, 1483425001864L};
        long time = RANDOM.nextInt(3) == 0 ? times[RANDOM.nextInt(times.length)] : RANDOM.nextLong() % 8_000_000_000_000L;
        String cls = "java.text.SimpleDateFormat";
        SimpleDateFormat format;
        try {
            format = new SimpleDateFormat(pattern);
            format.setTimeZone(TimeZone.getTimeZone("UTC"));
        } catch (IllegalArgumentException e) {
            out.println(head("date_pattern", cls) + ",\"input\":{\"pattern\":" + json(pattern) + "},\"output\":{\"fails\":" + json(e.getMessage()) + "}}");
            return;
        }
        String text = format.format(new Date(time));
        out.println(head("format_date", cls) + ",\"input\":{\"pattern\":" + json(pattern) + ",\"time\":\"" + time + "\"},\"output\":{\"text\":" + json(text) + "}}");
        switch (RANDOM.nextInt(8)) {
            case 0: text = text.replaceAll("\\d", "" + RANDOM.nextInt(10)); break;
            case 1: text = text + " rest"; break;
            case 2: text = " " + text; break;
            case 3: text = text.toLowerCase(); break;
            case 4: text = text.replaceAll("\\d+", pick("0", "13", "61", "99", "-1", "366", "12345678901", "1E2")); break;
            case 5: text = text.replace("UTC", pick("GMT+1:30", "GMT", "PST", "CEST", "EST", "gmt-02:00", "Pacific Standard Time")).replace("+0000", "-0330").replace("Z", "+02:00"); break;
            case 6: if (!text.isEmpty()) text = text.substring(0, RANDOM.nextInt(text.length())); break;
            default:
        }
        // Java makes of a year of weeks with such fields what no one means.
        if (pattern.contains("F") && text.contains("12345678901")) return;
        if (pattern.contains("Y") && (text.contains("12345678901") || pattern.matches(".*[zZX].*[^zZX].*[zZX].*"))) return;
        format.set2DigitYearStart(new Date(-757382400000L));
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        Date parsed;
        try { parsed = format.parse(text); } catch (ParseException e) { parsed = null; }
        out.println(head("parse_date", cls) + ",\"input\":{\"pattern\":" + json(pattern) + ",\"text\":" + json(text) + ",\"century_start\":\"-757382400000\"},\"output\":" + (parsed == null ? "null" : "\"" + parsed.getTime() + "\"") + "}");
    }

    /** Numbers at the ends of what an int and a long hold, and days about the change of the calendar. */
    static void extremeDate(PrintStream out) {
        String pattern = pick("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'", "yyyy-MM-dd", "HH:mm:ss.SSS'Z'", "y-D H", "y-w-u", "G y-M-d", "y-M-d H:m:s.S", "y-M-W-u", "yy-MM-dd");
        StringBuilder text = new StringBuilder();
        for (String part : pattern.replace("'T'", "T").replace("'Z'", "Z").split("(?<=[^a-zA-Z])|(?=[^a-zA-Z])|(?<=T)|(?=T)|(?=Z)")) {
            if (!part.matches("[GyMdHmsSDwuW]+")) { text.append(part); continue; }
            if (part.equals("G")) { text.append(pick("AD", "BC")); continue; }
            text.append(pick("1", "10", "14", "15", "24", "59", "288", "1582", "1582", "1583", "1581", "0", "-1", "-99", "1E3",
                "2147483647", "-2147483648", "2147483648", "4294967295", "99999999999", "99999999999999999999", "" + RANDOM.nextInt(), "" + RANDOM.nextInt(3000)));
        }
        SimpleDateFormat format = new SimpleDateFormat(pattern);
        format.setTimeZone(TimeZone.getTimeZone("UTC"));
        format.set2DigitYearStart(new Date(-757382400000L));
        Date parsed;
        try { parsed = format.parse(text.toString()); } catch (ParseException e) { parsed = null; }
        out.println(head("parse_date", "java.text.SimpleDateFormat") + ",\"input\":{\"pattern\":" + json(pattern) + ",\"text\":" + json(text.toString()) + ",\"century_start\":\"-757382400000\"},\"output\":" + (parsed == null ? "null" : "\"" + parsed.getTime() + "\"") + "}");
    }

    public static void main(String[] args) throws Exception {
        Locale.setDefault(Locale.US);
        PrintStream out = new PrintStream(new FileOutputStream(args[0]), false, "US-ASCII");
        for (int i = 0; i < 1500; i++) regex(out);
        out.close();
        out = new PrintStream(new FileOutputStream(args[1]), false, "US-ASCII");
        for (int i = 0; i < 700; i++) date(out);
        for (int i = 0; i < 300; i++) extremeDate(out);
        out.close();
    }
}
