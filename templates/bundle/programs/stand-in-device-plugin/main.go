// stand-in-device-plugin offers the stand-in devices of a sandbox node to its kubelet, by the
// protocol of every device plugin. A container is told which devices are its own, as by the real ones.
//
//	stand-in-device-plugin FILE RESOURCE         serves until it is stopped
//	stand-in-device-plugin --ready RESOURCE      ends well if it serves
//
// FILE has a line for each resource: its name, the variable that tells a container the numbers of its
// devices, the path that the devices' begin with, and their number.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const prefix = "stand-in-"

type plugin struct {
	resource, variable, path string
	devices                  []*api.Device
	stopped                  chan struct{}
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stand-in-device-plugin:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 2 {
		return errors.New("usage: stand-in-device-plugin FILE|--ready RESOURCE")
	}
	if arguments[0] == "--ready" {
		_, err := os.Stat(socket(arguments[1]))
		return err
	}
	found, err := read(arguments[0], arguments[1])
	if err != nil {
		return err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	for {
		again, err := found.serve(ended)
		if err != nil || !again {
			return err
		}
		fmt.Println("the kubelet began anew: registering again")
	}
}

// read finds a resource in the file; a node that has none of it offers none.
func read(file, resource string) (*plugin, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	found := &plugin{resource: resource}
	for lines := bufio.NewScanner(opened); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) != 4 || words[0] != resource {
			continue
		}
		count, err := strconv.Atoi(words[3])
		if err != nil {
			return nil, err
		}
		found.variable, found.path = words[1], words[2]
		for i := 0; i < count; i++ {
			id := prefix + strconv.Itoa(i)
			found.devices = append(found.devices, &api.Device{ID: id, Health: api.Healthy})
		}
	}
	return found, nil
}

func socket(resource string) string {
	return filepath.Join(api.DevicePluginPath, prefix+strings.ReplaceAll(resource, "/", "-")+".sock")
}

// serve answers the kubelet until a signal ends it (false), or the kubelet begins anew (true): it
// removes all sockets of plugins then, and wants them to register again.
func (p *plugin) serve(ended <-chan os.Signal) (bool, error) {
	path := socket(p.resource)
	os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return false, err
	}
	p.stopped = make(chan struct{})
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	go server.Serve(listener)
	defer server.Stop()
	defer close(p.stopped)
	if err := register(p.resource, filepath.Base(path)); err != nil {
		return false, err
	}
	fmt.Printf("offers %d stand-ins as %s\n", len(p.devices), p.resource)
	for {
		select {
		case <-ended:
			return false, nil
		case <-time.After(time.Second):
			if _, err := os.Stat(path); err != nil {
				return true, nil
			}
		}
	}
}

func register(resource, endpoint string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	kubelet, err := grpc.DialContext(ctx, "unix://"+api.KubeletSocket, grpc.WithInsecure(), grpc.WithBlock())
	if err != nil {
		return fmt.Errorf("no kubelet answers at %s: %w", api.KubeletSocket, err)
	}
	defer kubelet.Close()
	request := &api.RegisterRequest{Version: api.Version, Endpoint: endpoint, ResourceName: resource}
	_, err = api.NewRegistrationClient(kubelet).Register(ctx, request)
	return err
}

func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	if err := stream.Send(&api.ListAndWatchResponse{Devices: p.devices}); err != nil {
		return err
	}
	select {
	case <-stream.Context().Done():
	case <-p.stopped:
	}
	return nil
}

func (p *plugin) GetPreferredAllocation(
	context.Context, *api.PreferredAllocationRequest,
) (*api.PreferredAllocationResponse, error) {
	return &api.PreferredAllocationResponse{}, nil
}

// Allocate says which devices a container gets: their numbers in a variable, and their files.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	answer := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		numbers := make([]int, 0, len(container.DevicesIDs))
		for _, id := range container.DevicesIDs {
			number, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, number)
		}
		sort.Ints(numbers)
		answer.ContainerResponses = append(answer.ContainerResponses, p.given(numbers))
	}
	return answer, nil
}

func (p *plugin) given(numbers []int) *api.ContainerAllocateResponse {
	words := make([]string, 0, len(numbers))
	given := &api.ContainerAllocateResponse{}
	for _, number := range numbers {
		word := strconv.Itoa(number)
		words = append(words, word)
		path := p.path + word
		given.Devices = append(given.Devices,
			&api.DeviceSpec{HostPath: path, ContainerPath: path, Permissions: "rw"})
	}
	list := strings.Join(words, ",")
	given.Envs = map[string]string{p.variable: list, "DLWS_STAND_IN_DEVICES": list}
	return given
}

func (p *plugin) PreStartContainer(
	context.Context, *api.PreStartContainerRequest,
) (*api.PreStartContainerResponse, error) {
	return &api.PreStartContainerResponse{}, nil
}
