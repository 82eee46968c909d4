// Drives a worker with the client go-kafka/connect: one connector through its life.
//
//	drive URL DIR    the worker's REST API; a folder for the connector's files
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-kafka/connect"
)

const name = "go-source"

func main() {
	if err := drive(connect.NewClient(os.Args[1]), os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("go-kafka/connect: passed")
}

func drive(client *connect.Client, folder string) error {
	lines := filepath.Join(folder, "go.txt")
	if err := os.WriteFile(lines, []byte("one\ntwo\n"), 0o644); err != nil {
		return err
	}
	config := connect.ConnectorConfig{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
		"tasks.max":       "1",
		"topic":           "go-topic",
		"file":            lines,
	}
	connector := connect.Connector{Name: name, Config: config}
	response, err := client.CreateConnector(&connector)
	if err != nil || response.StatusCode != 201 {
		return fmt.Errorf("create: %v, %w", response, err)
	}
	if connector.Config["topic"] != "go-topic" {
		return fmt.Errorf("created as %v", connector)
	}
	again := connect.Connector{Name: name, Config: config}
	if err := refused(client, &again, 409); err != nil {
		return err
	}
	wrong := connect.Connector{Name: "wrong", Config: connect.ConnectorConfig{"connector.class": "none"}}
	if err := refused(client, &wrong, 400, 500); err != nil {
		return err
	}
	if err := reaches(client, "RUNNING"); err != nil {
		return err
	}
	names, _, err := client.ListConnectors()
	if err != nil || len(names) != 1 || names[0] != name {
		return fmt.Errorf("list: %v, %w", names, err)
	}
	found, _, err := client.GetConnector(name)
	if err != nil || len(found.Tasks) != 1 || found.Tasks[0].ConnectorName != name {
		return fmt.Errorf("get: %v, %w", found, err)
	}
	read, _, err := client.GetConnectorConfig(name)
	if err != nil || read["file"] != lines {
		return fmt.Errorf("config: %v, %w", read, err)
	}
	tasks, _, err := client.GetConnectorTasks(name)
	if err != nil || len(tasks) != 1 || tasks[0].Config["file"] != lines {
		return fmt.Errorf("tasks: %v, %w", tasks, err)
	}
	if _, err := client.PauseConnector(name); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	if err := reaches(client, "PAUSED"); err != nil {
		return err
	}
	if _, err := client.ResumeConnector(name); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	if err := reaches(client, "RUNNING"); err != nil {
		return err
	}
	if response, err := client.RestartConnector(name); err != nil || response.StatusCode != 204 {
		return fmt.Errorf("restart: %v, %w", response, err)
	}
	config["batch.size"] = "7"
	updated, response, err := client.UpdateConnectorConfig(name, config)
	if err != nil || response.StatusCode != 200 || updated.Config["batch.size"] != "7" {
		return fmt.Errorf("update: %v, %w", updated, err)
	}
	if err := reaches(client, "RUNNING"); err != nil {
		return err
	}
	if response, err := client.DeleteConnector(name); err != nil || response.StatusCode != 204 {
		return fmt.Errorf("delete: %v, %w", response, err)
	}
	if response, err := client.DeleteConnector(name); err == nil || response.StatusCode != 404 {
		return fmt.Errorf("deleted twice: %v, %w", response, err)
	}
	return nil
}

// refused creates a connector and wants an error of the API with one of these codes.
func refused(client *connect.Client, connector *connect.Connector, codes ...int) error {
	_, err := client.CreateConnector(connector)
	var api connect.APIError
	if errors.As(err, &api) && api.Message != "" {
		for _, code := range codes {
			if api.Code == code {
				return nil
			}
		}
	}
	return fmt.Errorf("%v created: %v instead of %v", connector, err, codes)
}

// reaches waits until the connector and its only task have a state.
func reaches(client *connect.Client, state string) error {
	end := time.Now().Add(30 * time.Second)
	for {
		status, _, err := client.GetConnectorStatus(name)
		if err == nil && status.Connector.State == state && len(status.Tasks) == 1 && status.Tasks[0].State == state {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not %s after 30 s: %v, %w", state, status, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
