import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trino.Session;
import io.trino.metadata.Metadata;
import io.trino.metadata.QualifiedObjectName;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.spi.TrinoException;
import io.trino.spi.connector.CatalogSchemaName;
import io.trino.spi.connector.CatalogSchemaTableName;
import io.trino.spi.security.PrincipalType;
import io.trino.spi.security.TrinoPrincipal;
import io.trino.spi.type.SqlTimestampWithTimeZone;
import io.trino.spi.type.TimeZoneKey;
import io.trino.sql.parser.ParsingException;
import io.trino.testing.LocalQueryRunner;
import io.trino.testing.MaterializedResult;
import io.trino.testing.MaterializedRow;
import io.trino.testing.TestingSession;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Trino's own parser, analyzer, planner and operators behind two pipes: one JSON line per request, one JSON line per answer.
 *
 * <p>Requests: {"sql": text} and {"load": {"catalog": name, "schema": name, "table": name, "fill": text of a CREATE TABLE ... AS}}.
 * Answers: {"ready": true} once, then {"types": [...], "rows": [[...]]}, {"loaded": count} or {"error": name, "message": text}.
 */
public final class TrinoStandIn {
    private static final String CATALOG = "awsdatacatalog"; // what Athena calls its own
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private final LocalQueryRunner runner;
    private final Set<String> catalogs = new HashSet<>();

    private TrinoStandIn() {
        Session session =
                TestingSession.testSessionBuilder()
                        .setCatalog(CATALOG)
                        .setSchema("default")
                        .setTimeZoneKey(TimeZoneKey.UTC_KEY)
                        .setSystemProperty("task_concurrency", "1")
                        .build();
        runner = LocalQueryRunner.create(session);
        runner.installPlugin(new MemoryPlugin());
        open(CATALOG);
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // whatever a library prints is no answer
        ObjectMapper json = new ObjectMapper();
        TrinoStandIn standIn = new TrinoStandIn();
        answers.println(json.writeValueAsString(NODES.objectNode().put("ready", true)));
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(json.writeValueAsString(standIn.answer(json.readTree(line))));
        }
        System.exit(0); // the runner's threads are no daemons
    }

    private ObjectNode answer(JsonNode request) {
        try {
            return request.has("load") ? load(request.get("load")) : query(request.get("sql").textValue());
        } catch (Throwable failure) { // an error of the engine, a stack that overflows included, is an answer too
            return refusal(failure);
        }
    }

    private ObjectNode query(String sql) {
        MaterializedResult result = runner.execute(sql);
        ObjectNode answer = NODES.objectNode();
        ArrayNode types = answer.putArray("types");
        result.getTypes().forEach(type -> types.add(type.getDisplayName()));
        ArrayNode rows = answer.putArray("rows");
        result.getMaterializedRows().forEach(row -> rows.add(node(row)));
        return answer;
    }

    private ObjectNode load(JsonNode load) {
        String catalog = load.get("catalog").textValue();
        String schema = load.get("schema").textValue();
        String table = load.get("table").textValue();
        open(catalog);
        runner.inTransaction(
                session -> {
                    drop(session, new CatalogSchemaName(catalog, schema), table);
                    return null;
                });
        MaterializedResult result = runner.execute(load.get("fill").textValue());
        return NODES.objectNode().put("loaded", ((Number) result.getOnlyValue()).longValue());
    }

    private void open(String catalog) {
        if (catalogs.add(catalog)) {
            runner.createCatalog(catalog, "memory", Map.of("memory.max-data-per-node", "256MB"));
        }
    }

    /** Makes room for a table. The local runner plans CREATE TABLE AS, and nothing else that defines data. */
    private void drop(Session session, CatalogSchemaName schema, String table) {
        Metadata metadata = runner.getMetadata();
        String catalog = schema.getCatalogName();
        if (!metadata.schemaExists(session, schema)) {
            metadata.createSchema(session, schema, Map.of(), new TrinoPrincipal(PrincipalType.USER, session.getUser()));
        }
        metadata.getTableHandle(session, new QualifiedObjectName(catalog, schema.getSchemaName(), table))
                .ifPresent(
                        handle -> metadata.dropTable(session, handle, new CatalogSchemaTableName(catalog, schema.getSchemaName(), table)));
    }

    /** A value as JSON, times in UTC. What JSON has no form for goes as the text that Trino shows. */
    private static JsonNode node(Object value) {
        if (value == null) {
            return NODES.nullNode();
        } else if (value instanceof Boolean bool) {
            return NODES.booleanNode(bool);
        } else if (value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Long) {
            return NODES.numberNode(((Number) value).longValue());
        } else if (value instanceof Float || value instanceof Double) {
            double number = ((Number) value).doubleValue();
            return Double.isFinite(number) ? NODES.numberNode(number) : NODES.textNode(Double.toString(number));
        } else if (value instanceof BigDecimal decimal) {
            return NODES.textNode(decimal.toPlainString());
        } else if (value instanceof SqlTimestampWithTimeZone time) {
            return NODES.textNode(time.toZonedDateTime().withZoneSameInstant(ZoneOffset.UTC).toLocalDateTime().toString());
        } else if (value instanceof MaterializedRow row) {
            return array(row.getFields());
        } else if (value instanceof List<?> list) {
            return array(list);
        } else if (value instanceof Map<?, ?> map) {
            ObjectNode object = NODES.objectNode();
            map.forEach((key, item) -> object.set(String.valueOf(key), node(item)));
            return object;
        }
        return NODES.textNode(value.toString());
    }

    private static ArrayNode array(List<?> values) {
        ArrayNode array = NODES.arrayNode();
        values.forEach(value -> array.add(node(value)));
        return array;
    }

    private static ObjectNode refusal(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof TrinoException known) {
                return refusal(known.getErrorCode().getName(), known.getMessage());
            } else if (cause instanceof ParsingException parsing) {
                return refusal("SYNTAX_ERROR", parsing.getMessage());
            } else if (cause instanceof StackOverflowError) {
                return refusal("STACK_OVERFLOW", "the stack is full: the statement is nested too deeply");
            }
        }
        return refusal("INTERNAL", String.valueOf(failure));
    }

    private static ObjectNode refusal(String name, String message) {
        return NODES.objectNode().put("error", name).put("message", String.valueOf(message));
    }
}
