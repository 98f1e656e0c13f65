// crictl answers the calls that kubeadm and an administrator's first look make to a container
// runtime. Debian has no crictl; this one is built from the CRI API that Kubernetes vendors.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1alpha2"
)

const usage = `usage: crictl [-r ENDPOINT] COMMAND
  info | version            the runtime's state and version
  pods [-q]                 pod sandboxes
  ps [-a] [-q]              containers
  images [-q]               images
  inspecti IMAGE            an image; fails where it is not there
  pull IMAGE                fetch an image
  stopp | rmp POD...        stop, remove pod sandboxes
  stop | rm CONTAINER...    stop, remove containers
`

type client struct {
	context context.Context
	runtime cri.RuntimeServiceClient
	images  cri.ImageServiceClient
}

type action func(c client, flags map[string]bool, names []string) error

var actions = map[string]action{
	"info": info, "version": version, "pods": pods, "ps": ps, "images": images,
	"inspecti": inspect, "pull": pull,
	"stopp": each(func(c client, id string) error {
		_, err := c.runtime.StopPodSandbox(c.context, &cri.StopPodSandboxRequest{PodSandboxId: id})
		return err
	}),
	"rmp": each(func(c client, id string) error {
		_, err := c.runtime.RemovePodSandbox(c.context, &cri.RemovePodSandboxRequest{PodSandboxId: id})
		return err
	}),
	"stop": each(func(c client, id string) error {
		_, err := c.runtime.StopContainer(c.context, &cri.StopContainerRequest{ContainerId: id, Timeout: 10})
		return err
	}),
	"rm": each(func(c client, id string) error {
		_, err := c.runtime.RemoveContainer(c.context, &cri.RemoveContainerRequest{ContainerId: id})
		return err
	}),
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "crictl:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	endpoint := os.Getenv("CONTAINER_RUNTIME_ENDPOINT")
	if endpoint == "" {
		endpoint = "unix:///run/containerd/containerd.sock"
	}
	options := flag.NewFlagSet("crictl", flag.ContinueOnError)
	options.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	options.StringVar(&endpoint, "r", endpoint, "")
	options.StringVar(&endpoint, "runtime-endpoint", endpoint, "")
	timeout := options.Duration("timeout", 4*time.Minute, "")
	if err := options.Parse(arguments); err != nil {
		return err
	}
	do, known := actions[options.Arg(0)]
	if !known {
		options.Usage()
		return fmt.Errorf("no such command: %q", options.Arg(0))
	}
	flags, names := split(options.Args()[1:])
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	connection, err := connect(ctx, endpoint)
	if err != nil {
		return err
	}
	defer connection.Close()
	c := client{ctx, cri.NewRuntimeServiceClient(connection), cri.NewImageServiceClient(connection)}
	return do(c, flags, names)
}

func split(words []string) (map[string]bool, []string) {
	flags, names := map[string]bool{}, []string{}
	for _, word := range words {
		if strings.HasPrefix(word, "-") {
			flags[strings.TrimLeft(word, "-")[:1]] = true
		} else {
			names = append(names, word)
		}
	}
	return flags, names
}

func connect(ctx context.Context, endpoint string) (*grpc.ClientConn, error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "unix://" + endpoint
	}
	waiting, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := grpc.DialContext(waiting, endpoint, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		return nil, fmt.Errorf("no container runtime answers at %s: %w", endpoint, err)
	}
	return connection, nil
}

func each(do func(client, string) error) action {
	return func(c client, _ map[string]bool, names []string) error {
		failed := 0
		for _, name := range names {
			if err := do(c, name); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
				failed++
			}
		}
		if len(names) == 0 {
			return errors.New("name at least one")
		}
		if failed > 0 {
			return fmt.Errorf("%d of %d failed", failed, len(names))
		}
		return nil
	}
}

func show(value interface{}) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func table(quiet bool, rows [][]string) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for i, row := range rows {
		if quiet && i > 0 {
			fmt.Fprintln(out, row[0])
		} else if !quiet {
			fmt.Fprintln(out, strings.Join(row, "\t"))
		}
	}
	return out.Flush()
}

func info(c client, _ map[string]bool, _ []string) error {
	answer, err := c.runtime.Status(c.context, &cri.StatusRequest{})
	if err != nil {
		return err
	}
	return show(answer.Status)
}

func version(c client, _ map[string]bool, _ []string) error {
	answer, err := c.runtime.Version(c.context, &cri.VersionRequest{})
	if err != nil {
		return err
	}
	fmt.Printf("RuntimeName:  %s\nRuntimeVersion:  %s\nRuntimeApiVersion:  %s\n",
		answer.RuntimeName, answer.RuntimeVersion, answer.RuntimeApiVersion)
	return nil
}

func age(nanoseconds int64) string {
	return time.Since(time.Unix(0, nanoseconds)).Truncate(time.Second).String()
}

func pods(c client, flags map[string]bool, _ []string) error {
	answer, err := c.runtime.ListPodSandbox(c.context, &cri.ListPodSandboxRequest{})
	if err != nil {
		return err
	}
	rows := [][]string{{"POD ID", "AGE", "STATE", "NAME", "NAMESPACE"}}
	for _, pod := range answer.Items {
		state := strings.ToLower(strings.TrimPrefix(pod.State.String(), "SANDBOX_"))
		rows = append(rows, []string{
			pod.Id, age(pod.CreatedAt), state, pod.Metadata.Name, pod.Metadata.Namespace})
	}
	return table(flags["q"], rows)
}

func ps(c client, flags map[string]bool, _ []string) error {
	filter := &cri.ContainerFilter{}
	if !flags["a"] {
		filter.State = &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
	}
	answer, err := c.runtime.ListContainers(c.context, &cri.ListContainersRequest{Filter: filter})
	if err != nil {
		return err
	}
	rows := [][]string{{"CONTAINER", "AGE", "STATE", "NAME", "POD ID"}}
	for _, one := range answer.Containers {
		state := strings.ToLower(strings.TrimPrefix(one.State.String(), "CONTAINER_"))
		rows = append(rows, []string{
			one.Id, age(one.CreatedAt), state, one.Metadata.Name, one.PodSandboxId})
	}
	return table(flags["q"], rows)
}

func images(c client, flags map[string]bool, _ []string) error {
	answer, err := c.images.ListImages(c.context, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	rows := [][]string{{"IMAGE ID", "SIZE", "TAGS"}}
	for _, image := range answer.Images {
		rows = append(rows, []string{
			image.Id, fmt.Sprintf("%dMB", image.Size_/1000000), strings.Join(image.RepoTags, " ")})
	}
	return table(flags["q"], rows)
}

func inspect(c client, _ map[string]bool, names []string) error {
	return each(func(c client, name string) error {
		request := &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name}}
		answer, err := c.images.ImageStatus(c.context, request)
		if err != nil {
			return err
		}
		if answer.Image == nil {
			return errors.New("no such image")
		}
		return show(answer.Image)
	})(c, nil, names)
}

func pull(c client, _ map[string]bool, names []string) error {
	return each(func(c client, name string) error {
		request := &cri.PullImageRequest{Image: &cri.ImageSpec{Image: name}}
		answer, err := c.images.PullImage(c.context, request)
		if err != nil {
			return err
		}
		fmt.Println("Image is up to date for", answer.ImageRef)
		return nil
	})(c, nil, names)
}
