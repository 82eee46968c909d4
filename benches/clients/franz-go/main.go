// franz-go, with the arguments of the other programs:
// produce|consume BOOTSTRAP TOPIC PARTITIONS RECORDS CODEC PAYLOAD-FILE.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	batchBytes = 512 << 10
	linger     = 5 * time.Millisecond
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	if len(os.Args) != 8 {
		check(fmt.Errorf("arguments: produce|consume BOOTSTRAP TOPIC PARTITIONS RECORDS CODEC PAYLOAD-FILE"))
	}
	partitions, err := strconv.Atoi(os.Args[4])
	check(err)
	records, err := strconv.Atoi(os.Args[5])
	check(err)
	text, err := os.ReadFile(os.Args[7])
	check(err)
	if os.Args[1] == "produce" {
		produce(os.Args[2], os.Args[3], records, os.Args[6], bytes.Split(bytes.TrimSpace(text), []byte("\n")))
	} else {
		consume(os.Args[2], os.Args[3], partitions, records)
	}
}

func report(records int, started time.Time) {
	fmt.Printf("records=%d seconds=%f\n", records, time.Since(started).Seconds())
}

func produce(bootstrap, topic string, records int, codec string, payloads [][]byte) {
	compression := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[codec]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(batchBytes),
		kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(500_000),
		kgo.ProducerBatchCompression(compression),
	)
	check(err)
	ctx := context.Background()
	check(client.Ping(ctx))
	pool := sync.Pool{New: func() any { return new(kgo.Record) }}
	var acknowledged atomic.Int64
	done := func(record *kgo.Record, err error) {
		check(err)
		acknowledged.Add(1)
		pool.Put(record)
	}
	started := time.Now()
	for i := 0; i < records; i++ {
		record := pool.Get().(*kgo.Record)
		*record = kgo.Record{Value: payloads[i%len(payloads)]}
		client.Produce(ctx, record, done)
	}
	check(client.Flush(ctx))
	report(int(acknowledged.Load()), started)
	client.Close()
}

func consume(bootstrap, topic string, partitions, records int) {
	from := map[int32]kgo.Offset{}
	for partition := range int32(partitions) {
		from[partition] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
	)
	check(err)
	seen, size, checksum := 0, 0, 0
	var started time.Time
	for seen < records {
		fetches := client.PollFetches(context.Background())
		for _, failed := range fetches.Errors() {
			check(failed.Err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if seen == 0 {
				started = time.Now()
			}
			seen++
			size += len(record.Value)
			checksum += int(record.Value[len(record.Value)-1])
		})
	}
	report(seen, started)
	fmt.Fprintln(os.Stderr, size, "bytes, checksum", checksum)
	client.Close()
}
