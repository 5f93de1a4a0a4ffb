"""Train a small network on CIFAR-10, and look at what it learned. Page: docs/training_a_classifier.md"""

import prelude  # noqa: F401

# --8<-- [start:imports]
import torch
import torchvision
from torchvision.transforms import v2
# --8<-- [end:imports]
import data

data.ready("cifar10")  # torchvision would accept the original files alone

# --8<-- [start:dataset]
transform = v2.Compose(  # (1)!
    [
        v2.ToImage(),  # picture to tensor, numbers still 0..255
        v2.ToDtype(torch.float32, scale=True),  # 0..1
        v2.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),  # -1..1  # (2)!
    ]
)

batch_size = 4

trainset = torchvision.datasets.CIFAR10(root="./data", train=True, download=True, transform=transform)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=batch_size, shuffle=True)  # (3)!

testset = torchvision.datasets.CIFAR10(root="./data", train=False, download=True, transform=transform)
testloader = torch.utils.data.DataLoader(testset, batch_size=batch_size, shuffle=False)

classes = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
print(len(trainset), "training images,", len(testset), "test images")
# --8<-- [end:dataset]
picture, _ = torchvision.datasets.CIFAR10(root="./data", train=False)[0]
assert picture.getextrema()[0][1] > 1  # a PIL image holds 0..255
assert testset[0][0].min() >= -1 and testset[0][0].max() <= 1
assert testset[0][0].shape == (3, 32, 32) and isinstance(testset[0][1], int)

# --8<-- [start:samples]
import figures

targets = torch.tensor(trainset.targets)
pictures = torch.from_numpy(trainset.data).permute(0, 3, 1, 2)  # channels before pixels
first = {name: pictures[targets == label][:6] for label, name in enumerate(classes)}
figures.show(figures.Gallery(first), "training_a_classifier-samples")
# --8<-- [end:samples]

# --8<-- [start:batch]
import matplotlib.pyplot as plt


def imshow(img, words):
    img = img / 2 + 0.5  # back from -1..1 to 0..1
    plt.figure(figsize=(4.8, 1.4), label=words)  # (1)!
    plt.imshow(img.permute(1, 2, 0).numpy())  # (2)!
    plt.axis("off")
    plt.show()


# one batch, as the loader happens to draw it
images, labels = next(iter(trainloader))

# all four side by side
imshow(torchvision.utils.make_grid(images), "Four training images")
# their classes in words
print(" ".join(f"{classes[label]:5s}" for label in labels))  # (3)!
# --8<-- [end:batch]
assert images.shape == (4, 3, 32, 32)

# --8<-- [start:net]
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):  # (N, 3, 32, 32)
        x = self.pool(F.relu(self.conv1(x)))  # (N, 6, 14, 14)
        x = self.pool(F.relu(self.conv2(x)))  # (N, 16, 5, 5)
        x = torch.flatten(x, 1)  # all dimensions except the batch: (N, 400)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)  # (N, 10)


net = Net()
# --8<-- [end:net]
assert sum(p.numel() for p in net.parameters()) == 62_006  # conv1 has three times the weights, 450 instead of 150

# --8<-- [start:optimizer]
import torch.optim as optim

criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
# --8<-- [end:optimizer]
probability = F.softmax(torch.tensor([3.0, 1.0, 0.5]), dim=0)[0]
assert torch.isclose(criterion(torch.tensor([[3.0, 1.0, 0.5]]), torch.tensor([0])), -probability.log())

# --8<-- [start:train]
losses = []  # the loss of every step, to plot later

for epoch in range(2):  # twice through all images
    running_loss = 0.0
    for i, (inputs, labels) in enumerate(trainloader):
        # clear
        optimizer.zero_grad()

        # guess, send the error back, step
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()

        # report progress
        losses.append(loss.item())
        running_loss += loss.item()  # (1)!
        if i % 2000 == 1999:  # the mean of the last 2000
            print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 2000:.3f}")
            running_loss = 0.0

print("Finished Training")
# --8<-- [end:train]
assert isinstance(loss.item(), float) and (loss + loss).grad_fn is not None
assert len(losses) == 2 * len(trainloader)  # each image was seen twice
first, last = torch.tensor(losses[:1000]).mean(), torch.tensor(losses[-1000:]).mean()
assert last < 0.8 * first, (first, last)
begins, ends = first.item(), last.item()

# --8<-- [start:curve]
import math

smooth = torch.tensor(losses[: len(losses) // 500 * 500]).view(-1, 500).mean(dim=1).tolist()  # (1)!
plt.plot(range(500, 500 * len(smooth) + 1, 500), smooth)
plt.axhline(math.log(10), linestyle=":", color="gray")  # guessing: each class one in ten
plt.title("Loss while training")
plt.xlabel("steps of 4 images")
plt.ylabel("loss, mean of 500 steps")
plt.show()
# --8<-- [end:curve]
assert smooth[-1] < smooth[0]
assert smooth[0] < 2.35  # guessing gives ln 10 = 2.30
guess = F.cross_entropy(torch.zeros(1, 10), torch.tensor([0])).item()
assert math.isclose(guess, math.log(10), rel_tol=1e-6)

# --8<-- [start:save]
PATH = "./cifar_net.pth"
torch.save(net.state_dict(), PATH)
# --8<-- [end:save]

# --8<-- [start:test_batch]
images, labels = next(iter(testloader))

# all four side by side
imshow(torchvision.utils.make_grid(images), "The first four test images")
print("GroundTruth: ", " ".join(f"{classes[label]:5s}" for label in labels))
# --8<-- [end:test_batch]

# --8<-- [start:load]
net = Net()
net.load_state_dict(torch.load(PATH))
# --8<-- [end:load]
import io
import pickle

torch.save(print, harmful := io.BytesIO())
harmful.seek(0)
try:
    torch.load(harmful)
except pickle.UnpicklingError:
    pass
else:
    raise AssertionError("torch.load has loaded a function")

# --8<-- [start:outputs]
outputs = net(images)
# --8<-- [end:outputs]
assert torch.equal(outputs, net.eval()(images)) and net.train()  # it has no layers that behave differently
trained = Net()
trained.load_state_dict(dict(zip(net.state_dict(), optimizer.param_groups[0]["params"])))
assert torch.equal(outputs, trained(images))  # bit for bit

# --8<-- [start:predicted]
_, predicted = torch.max(outputs, 1)  # (1)!

print("Predicted: ", " ".join(f"{classes[label]:5s}" for label in predicted))
# --8<-- [end:predicted]

# --8<-- [start:beliefs]
beliefs = F.softmax(outputs.detach(), dim=1)  # for each image, ten numbers that add up to 1

figure, columns = plt.subplots(2, 4, figsize=(4.8, 3.6), height_ratios=(1, 2), sharey="row")
for image, belief, label, (top, bottom) in zip(images, beliefs, labels, columns.T):
    top.imshow((image.permute(1, 2, 0) / 2 + 0.5).numpy())
    top.set_title(classes[label])
    top.axis("off")
    bottom.barh(classes, belief.numpy())
    bottom.set_xlim(0, 1)
columns[1, 0].invert_yaxis()
figure.supxlabel("what the network believes", fontsize=10)
plt.show()
# --8<-- [end:beliefs]
assert torch.allclose(beliefs.sum(dim=1), torch.ones(4))
assert round(math.exp(3.2 - 1.1), 1) == 8.2

# --8<-- [start:accuracy]
correct = 0
total = 0
with torch.no_grad():  # (1)!
    for images, labels in testloader:
        outputs = net(images)
        # of ten numbers, the index of the highest
        _, predicted = torch.max(outputs, 1)
        total += labels.size(0)  # (2)!
        correct += (predicted == labels).sum().item()  # (3)!

print(f"Accuracy of the network on the {total} test images: {100 * correct / total:.1f} %")
# --8<-- [end:accuracy]
right = correct / total
assert right > 0.3  # chance: 10 %, and 0.3 points more or less in 10,000 tries
tracked = torch.ones(100, requires_grad=True)
assert nn.Dropout().eval()(tracked).requires_grad, "eval() does not stop tracking"
with torch.no_grad(), torch.random.fork_rng():
    assert (nn.Dropout()(tracked) == 0).any(), "no_grad() does not change a layer"

# --8<-- [start:class_accuracy]
# two counts for each class
correct_pred = {classname: 0 for classname in classes}
total_pred = {classname: 0 for classname in classes}
confusion = torch.zeros(10, 10)  # true class, predicted class

# nothing will be sent back
with torch.no_grad():
    for images, labels in testloader:
        outputs = net(images)
        _, predictions = torch.max(outputs, 1)
        # count the hits, and what was taken for what
        for label, prediction in zip(labels, predictions):
            if label == prediction:
                correct_pred[classes[label]] += 1
            total_pred[classes[label]] += 1
            confusion[label, prediction] += 1

# hits out of all images of the class
for classname, correct_count in correct_pred.items():
    accuracy = 100 * correct_count / total_pred[classname]
    print(f"Accuracy for class: {classname:5s} is {accuracy:.1f} %")
# --8<-- [end:class_accuracy]
assert sum(correct_pred.values()) == correct == confusion.trace()

# --8<-- [start:bars]
accuracies = [100 * correct_pred[name] / total_pred[name] for name in classes]
plt.barh(classes, accuracies)
plt.axvline(10, linestyle=":", linewidth=2, color="white")  # chance
plt.gca().invert_yaxis()
plt.title("Accuracy of each class")
plt.xlabel("% of the test images of the class; dotted: chance")
plt.show()
# --8<-- [end:bars]

# --8<-- [start:confusion]
share = 100 * confusion / confusion.sum(dim=1, keepdim=True)  # % of each true class  # (1)!

plt.figure(figsize=(4.8, 4.2))
plt.imshow(share.numpy())
plt.xticks(range(10), classes, rotation=90)
plt.yticks(range(10), classes)
for row in range(10):
    for column in range(10):
        color = "white" if share[row, column] > share.max() / 2 else "#1d2433"
        plt.text(column, row, f"{share[row, column]:.0f}", ha="center", va="center", color=color, fontsize=8)
plt.title("What the images of each class are taken for, %")
plt.xlabel("predicted")
plt.ylabel("true class")
plt.show()
# --8<-- [end:confusion]

# --8<-- [start:mistake]
mistakes = share.clone().fill_diagonal_(0)
worst = divmod(mistakes.argmax().item(), 10)  # (1)!
print(f"Most often mistaken: {classes[worst[0]]} for {classes[worst[1]]}, {mistakes.max():.0f} % of the time")
# --8<-- [end:mistake]

# --8<-- [start:filters]
filters = net.conv1.weight.detach()  # (6, 3, 5, 5)
low, high = filters.min(), filters.max()

figure, cells = plt.subplots(1, 6, figsize=(4.8, 1.0))
for number, (weights, cell) in enumerate(zip(filters, cells)):
    cell.imshow(((weights - low) / (high - low)).permute(1, 2, 0).numpy())  # (1)!
    cell.axis("off")
figure.set_label("The six filters of the first layer as 5 by 5 color pictures")
plt.show()
# --8<-- [end:filters]
assert filters.abs().max() > 75**-0.5  # more than any begins with: training has changed them

# --8<-- [start:small_imports]
import matplotlib.pyplot as plt
import torch
import torch.nn as nn
import torchvision
# --8<-- [end:small_imports]
import data

data.ready("cifar10")

# --8<-- [start:small_data]
training_pictures = torchvision.datasets.CIFAR10(root="./data", train=True)
test_pictures = torchvision.datasets.CIFAR10(root="./data", train=False)


def first(dataset, count):
    """The first images as one tensor, with colors from -1 to 1, and their classes."""
    images = torch.from_numpy(dataset.data[:count]).permute(0, 3, 1, 2)  # (count, 3, 32, 32)
    return images / 127.5 - 1, torch.tensor(dataset.targets[:count])


images, labels = first(training_pictures, 400)
new_images, new_labels = first(test_pictures, 400)
# --8<-- [end:small_data]
assert images.shape == (400, 3, 32, 32) and images.min() >= -1 and images.max() <= 1

# --8<-- [start:knobs]
lr = 0.01
batch_size = 10
epochs = 30

small_net = nn.Sequential(
    nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2, 2),
    nn.Flatten(),
    nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(small_net.parameters(), lr=lr, momentum=0.9)

right_seen, right_new = [], []  # after each epoch: % of the images that it trains on, and of others
for epoch in range(epochs):
    losses = []
    for batch in torch.randperm(len(images)).split(batch_size):
        optimizer.zero_grad()
        loss = criterion(small_net(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        right_seen.append(100 * (small_net(images).argmax(1) == labels).float().mean().item())
        right_new.append(100 * (small_net(new_images).argmax(1) == new_labels).float().mean().item())

plt.plot(range(1, epochs + 1), right_seen, marker=".", label="images that it trains on")
plt.plot(range(1, epochs + 1), right_new, marker=".", label="images that it has never seen")
plt.axhline(10, linestyle=":", color="gray")  # guessing
plt.ylim(0, 130)
plt.yticks(range(0, 101, 20))
plt.title("Right answers after each epoch")
plt.xlabel("epoch")
plt.ylabel("%")
plt.legend(loc="upper left", frameon=False)
plt.show()
print(f"mean loss of the last epoch: {sum(losses) / len(losses):.3f}")
print(f"right for {right_seen[-1]:.0f} % of the 400 images, and for {right_new[-1]:.0f} % of 400 others")
# --8<-- [end:knobs]
import math

import data

if not data.ready("cifar10").is_placeholder:
    match lr, batch_size, epochs:
        case 0.01, 10, 30:
            assert right_seen[-1] > 85 and 20 < right_new[-1] < 40
        case 0.01, 50, 30:
            assert 30 < right_seen[-1] < 60 and 20 < right_new[-1] < 40
        case 0.001, 10, 30:
            assert 20 < right_seen[-1] < 50 and right_seen[-1] > right_seen[0] + 5
        case 0.001, 50, 30:
            assert right_seen[-1] < 20
        case 0.3, 10, 30:
            assert right_seen[-1] < 20 and abs(sum(losses) / len(losses) - math.log(10)) < 0.2
        case 0.3, 50, 30:
            assert right_seen[-1] < 35 and sum(losses) / len(losses) > 1.8  # 14 to 26 % with four seeds

# --8<-- [start:try]
import browser

browser.show(net, testset, classes)
# --8<-- [end:try]

# --8<-- [start:exercise_1]
images, labels = next(iter(torch.utils.data.DataLoader(testset, batch_size=500)))
with torch.no_grad():
    print(f"{F.cross_entropy(Net()(images), labels).item():.2f}")
# --8<-- [end:exercise_1]
import math

with torch.no_grad(), torch.random.fork_rng():
    assert abs(F.cross_entropy(Net()(images), labels).item() - math.log(10)) < 0.1

# --8<-- [start:exercise_2]
print(sum(p.numel() for p in nn.Conv2d(3, 6, 7).parameters()))
# --8<-- [end:exercise_2]
assert 6 * 3 * 7 * 7 + 6 == sum(p.numel() for p in nn.Conv2d(3, 6, 7).parameters())

# --8<-- [start:exercise_3]
seen_as = share.clone().fill_diagonal_(0).sum(dim=0)  # for each class: how often others are taken for it
print(classes[seen_as.argmax().item()])
# --8<-- [end:exercise_3]
assert seen_as.shape == (10,)
