package yupan;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/**
 * Decodes an event, updates its customer's record, tells every tenth event: as `decide` of work.py. Records and outputs
 * are MessagePack with the same fields, so that they are as long as everybody else's.
 */
final class Customer implements Processor<byte[], byte[], byte[], byte[]> {
  private static final int HEAD_SIZE = 5; // Confluent framing: magic byte 0, schema id
  private static final int EVENTS_AN_OUTPUT = 10;

  private final String store;
  private final GenericDatumReader<GenericRecord> reader;
  private final int sequenceAt;
  private final int valueAt;
  private final MessageBufferPacker packer = MessagePack.newDefaultBufferPacker();
  private BinaryDecoder decoder;
  private GenericRecord event;
  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<byte[], byte[]> records;

  Customer(Schema schema, String store) {
    this.store = store;
    this.reader = new GenericDatumReader<>(schema);
    this.sequenceAt = schema.getField("sequence").pos();
    this.valueAt = schema.getField("value").pos();
  }

  @Override
  public void init(ProcessorContext<byte[], byte[]> context) {
    this.context = context;
    this.records = context.getStateStore(store);
  }

  @Override
  public void process(Record<byte[], byte[]> message) {
    try {
      event = decode(message.value());
      long sequence = (Long) event.get(sequenceAt);
      byte[] before = records.get(message.key());
      long count = before == null ? 1 : count(before) + 1;
      records.put(message.key(), record(count, (Double) event.get(valueAt)));
      if (sequence % EVENTS_AN_OUTPUT == 0) {
        context.forward(message.withValue(output(sequence, count)));
      }
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private GenericRecord decode(byte[] framed) throws IOException {
    if (framed[0] != 0) {
      throw new IOException("no Confluent framing");
    }
    decoder = DecoderFactory.get().binaryDecoder(framed, HEAD_SIZE, framed.length - HEAD_SIZE, decoder);
    return reader.read(event, decoder);
  }

  /** {"n": count, "value": value}. */
  private byte[] record(long count, double value) throws IOException {
    packer.clear();
    packer.packMapHeader(2).packString("n").packLong(count).packString("value").packDouble(value);
    return packer.toByteArray();
  }

  private static long count(byte[] record) throws IOException {
    try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(record)) {
      unpacker.unpackMapHeader();
      unpacker.unpackString(); // "n" comes first
      return unpacker.unpackLong();
    }
  }

  /** [sequence, count]. */
  private byte[] output(long sequence, long count) throws IOException {
    packer.clear();
    packer.packArrayHeader(2).packLong(sequence).packLong(count);
    return packer.toByteArray();
  }
}
