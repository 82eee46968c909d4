import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.sourcelab.kafka.connect.apiclient.Configuration;
import org.sourcelab.kafka.connect.apiclient.KafkaConnectClient;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorPluginConfigDefinition;
import org.sourcelab.kafka.connect.apiclient.request.dto.ConnectorStatus;
import org.sourcelab.kafka.connect.apiclient.request.dto.NewConnectorDefinition;
import org.sourcelab.kafka.connect.apiclient.request.post.PostConnectorRestart;
import org.sourcelab.kafka.connect.apiclient.rest.exceptions.ResourceNotFoundException;

/** Drives a worker with the client kafka-connect-client: one connector through its life. Arguments: URL, folder. */
public final class Drive {
    private static final String NAME = "java-source";
    private static final String CLASS = "org.apache.kafka.connect.file.FileStreamSourceConnector";

    public static void main(String[] arguments) throws Exception {
        KafkaConnectClient client = new KafkaConnectClient(new Configuration(arguments[0]));
        Path lines = Path.of(arguments[1], "java.txt");
        Files.writeString(lines, "one\ntwo\n");
        Map<String, String> config = new HashMap<>(Map.of(
            "connector.class", CLASS, "tasks.max", "1", "topic", "java-topic", "file", lines.toString()));

        check(client.getConnectServerVersion().getKafkaClusterId() != null, "no cluster id");
        check(client.getConnectorPlugins().stream().anyMatch(p -> p.getClassName().equals(CLASS)), "no plugin");
        check(errors(client, config) == 0, "errors in a valid config");
        Map<String, String> wrong = new HashMap<>(config);
        wrong.put("tasks.max", "none");
        // As Connect: it is no number, and so there is none.
        check(errors(client, wrong) == 2, "errors in a wrong config");

        var created = client.addConnector(
            NewConnectorDefinition.newBuilder().withName(NAME).withConfig(config).build());
        check(created.getType().equals("source") && created.getConfig().get("topic").equals("java-topic"), "created");
        await("RUNNING", () -> states(client).equals(List.of("RUNNING", "RUNNING")));
        check(List.copyOf(client.getConnectors()).equals(List.of(NAME)), "list");
        var expanded = client.getConnectorsWithAllExpandedMetadata();
        check(expanded.getDefinitionForConnector(NAME).getName().equals(NAME), "expanded info");
        check(expanded.getStatusForConnector(NAME).getName().equals(NAME), "expanded status");
        check(client.getConnector(NAME).getTasks().size() == 1, "tasks of the definition");
        check(client.getConnectorConfig(NAME).get("file").equals(lines.toString()), "config");
        check(client.getConnectorTasks(NAME).iterator().next().getConfig().get("topic").equals("java-topic"), "tasks");
        await("topics", () -> client.getConnectorTopics(NAME).getTopics().equals(List.of("java-topic")));
        check(client.resetConnectorTopics(NAME), "reset of topics");

        check(client.pauseConnector(NAME), "pause");
        await("PAUSED", () -> states(client).equals(List.of("PAUSED", "PAUSED")));
        check(client.resumeConnector(NAME), "resume");
        await("RUNNING", () -> states(client).equals(List.of("RUNNING", "RUNNING")));
        check(client.restartConnector(NAME), "restart");
        check(client.restartConnector(new PostConnectorRestart(NAME).withIncludeTasks(true)), "restart with tasks");
        await("RUNNING", () -> states(client).equals(List.of("RUNNING", "RUNNING")));
        check(client.restartConnectorTask(NAME, 0), "restart of the task");
        await("RUNNING", () -> client.getConnectorTaskStatus(NAME, 0).getState().equals("RUNNING"));

        config.put("batch.size", "7");
        check(client.updateConnectorConfig(NAME, config).getConfig().get("batch.size").equals("7"), "update");
        await("RUNNING", () -> states(client).equals(List.of("RUNNING", "RUNNING")));
        check(client.deleteConnector(NAME), "delete");
        try {
            client.getConnector(NAME);
            throw new AssertionError("found after it was deleted");
        } catch (ResourceNotFoundException expected) {
            check(expected.getMessage().contains(NAME), expected.getMessage());
        }
        System.out.println("kafka-connect-client: passed");
    }

    private static int errors(KafkaConnectClient client, Map<String, String> config) {
        Map<String, String> named = new HashMap<>(config);
        named.put("name", NAME);
        return client.validateConnectorPluginConfig(ConnectorPluginConfigDefinition.newBuilder()
            .withName("FileStreamSourceConnector").withConfig(named).build()).getErrorCount();
    }

    /** State of the connector, then of its tasks. */
    private static List<String> states(KafkaConnectClient client) {
        ConnectorStatus status = client.getConnectorStatus(NAME);
        List<String> states = new ArrayList<>(List.of(status.getConnector().get("state")));
        Collection<ConnectorStatus.TaskStatus> tasks = status.getTasks();
        tasks.forEach(task -> states.add(task.getState()));
        return states;
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!condition.getAsBoolean()) {
            check(System.nanoTime() < end, "waited 30 s for " + what);
            Thread.sleep(50);
        }
    }

    private static void check(boolean good, String what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }
}
