package yupan;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.avro.Schema;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The reference work of benchmarks/reference/work.py on Kafka Streams: a processor with a RocksDB store, which has a
 * changelog and, as the DSL's own stores, the record cache in front.
 *
 * <p>Arguments: bootstrap servers, application id, input topic, output topic, schema file, state directory, processing
 * guarantee, commit interval in ms. Runs until SIGTERM; an error ends it with exit code 1.
 */
public final class ReferenceWork {
  private static final String STORE = "work";

  private ReferenceWork() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    Schema schema = new Schema.Parser().parse(Path.of(args[4]).toFile());
    KafkaStreams streams = new KafkaStreams(topology(args[2], args[3], schema), settings(args));
    CountDownLatch failed = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          failed.countDown();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
    failed.await();
    Runtime.getRuntime().halt(1);
  }

  private static Topology topology(String source, String out, Schema schema) {
    Serde<byte[]> raw = Serdes.ByteArray();
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), raw, raw)
            .withLoggingEnabled(Map.of())
            .withCachingEnabled());
    builder.stream(source, Consumed.with(raw, raw))
        .process(() -> new Customer(schema, STORE), STORE)
        .to(out, Produced.with(raw, raw));
    return builder.build();
  }

  private static Properties settings(String[] args) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, args[5]);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, args[6]);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, args[7]);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, 0);
    settings.put(StreamsConfig.producerPrefix("acks"), "all");
    settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    return settings;
  }
}
