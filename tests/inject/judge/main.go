// Command judge runs Istio's own injector: the webhook of istiod, with its configuration from files.
//
//	judge CONFIG VALUES MESH < REQUESTS > ANSWERS
//	judge values < VALUES
//
// The three files are the values of the ConfigMaps istio-sidecar-injector (config, values) and istio (mesh). REQUESTS is one JSON document, as
// the type requests below says. ANSWERS is a JSON list with an answer for each pod. ENABLE_NATIVE_SIDECARS means what it means to istiod.
//
// The second form fails if VALUES, in YAML, has a field that Istio's own type of its values does not have.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	jsonpatch "github.com/evanphx/json-patch/v5"
	networking "istio.io/api/networking/v1beta1"
	"istio.io/istio/operator/pkg/apis"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/kube/inject"
	"istio.io/istio/pkg/kube/multicluster"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/util/protomarshal"
	admission "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type requests struct {
	// The variables that a ProxyConfig sets for all pods of a namespace.
	Variables map[string]map[string]string `json:"variables"`
	Pods      []json.RawMessage            `json:"pods"`
}

// answer is the pod as the API server has it after the webhook, or why the webhook refuses it.
type answer struct {
	Pod     json.RawMessage `json:"pod,omitempty"`
	Refused string          `json:"refused,omitempty"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(files []string, in io.Reader, out io.Writer) error {
	if len(files) == 1 && files[0] == "values" {
		text, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return protomarshal.ApplyYAMLStrict(string(text), &apis.Values{})
	}
	if len(files) != 3 {
		return errors.New("usage: judge CONFIG VALUES MESH < REQUESTS, or judge values < VALUES")
	}
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	if err := log.Configure(options); err != nil {
		return err
	}
	var asked requests
	if err := json.NewDecoder(in).Decode(&asked); err != nil {
		return err
	}
	webhook, err := start(files[0], files[1], files[2], asked.Variables)
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(asked.Pods))
	for _, pod := range asked.Pods {
		one, err := ask(webhook, pod)
		if err != nil {
			return err
		}
		answers = append(answers, one)
	}
	return json.NewEncoder(out).Encode(answers)
}

// start makes the webhook as istiod does.
func start(config, values, meshFile string, variables map[string]map[string]string) (http.Handler, error) {
	text, err := os.ReadFile(meshFile)
	if err != nil {
		return nil, err
	}
	meshConfig, err := mesh.ApplyMeshConfigDefaults(string(text))
	if err != nil {
		return nil, err
	}
	store, err := proxyConfigs(variables)
	if err != nil {
		return nil, err
	}
	environment := &model.Environment{Watcher: fixed(meshConfig), ConfigStore: store}
	environment.SetPushContext(&model.PushContext{ProxyConfigs: model.GetProxyConfigs(store, meshConfig)})
	watcher, err := inject.NewFileWatcher(config, values)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	_, err = inject.NewWebhook(inject.WebhookParameters{
		Watcher: watcher, Env: environment, Mux: mux, MultiCluster: multicluster.NewFakeController(),
	})
	return mux, err
}

func proxyConfigs(variables map[string]map[string]string) (model.ConfigStore, error) {
	store := model.NewFakeStore()
	for namespace, set := range variables {
		resource := config.Config{
			Meta: config.Meta{GroupVersionKind: gvk.ProxyConfig, Name: "exeunt", Namespace: namespace},
			Spec: &networking.ProxyConfig{EnvironmentVariables: set},
		}
		if _, err := store.Create(resource); err != nil {
			return nil, err
		}
	}
	return store, nil
}

// ask sends the pod to the webhook and applies the patch, as the API server does.
func ask(webhook http.Handler, pod json.RawMessage) (answer, error) {
	var metadata metav1.PartialObjectMetadata
	if err := json.Unmarshal(pod, &metadata); err != nil {
		return answer{}, err
	}
	review, err := json.Marshal(admission.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admission.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request:  &admission.AdmissionRequest{UID: "1", Namespace: metadata.Namespace, Object: runtime.RawExtension{Raw: pod}},
	})
	if err != nil {
		return answer{}, err
	}
	request := httptest.NewRequest(http.MethodPost, "/inject", bytes.NewReader(review))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	webhook.ServeHTTP(recorder, request)
	var reviewed admission.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &reviewed); err != nil {
		return answer{}, fmt.Errorf("%w: %s", err, recorder.Body)
	}
	if !reviewed.Response.Allowed {
		return answer{Refused: reviewed.Response.Result.Message}, nil
	}
	if len(reviewed.Response.Patch) == 0 {
		return answer{Pod: pod}, nil
	}
	patch, err := jsonpatch.DecodePatch(reviewed.Response.Patch)
	if err != nil {
		return answer{}, err
	}
	patched, err := patch.Apply(pod)
	return answer{Pod: patched}, err
}
